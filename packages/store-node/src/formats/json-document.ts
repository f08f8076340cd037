import { type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { type Step, type Steps, showSteps } from "./json-path.ts";
import { unreadable } from "./unreadable.ts";

/** The text of a JSON document, perhaps with comments and trailing commas, and the tree of its values. */
export interface JsonDocument {
  readonly text: string;
  /** `undefined` if the document is empty, apart from white space and comments. */
  readonly root: Node | undefined;
}

/** Where a path leads in a document. */
export type Place =
  /** To a value, which may be `null`. */
  | { readonly kind: "found"; readonly node: Node }
  /** To nothing: `node` is the last container on the path, or a `null` in its place; `rest` is to be created there. */
  | { readonly kind: "missing" | "null"; readonly node: Node; readonly rest: Steps }
  /** To nothing: the document is empty. */
  | { readonly kind: "empty"; readonly rest: Steps };

/** White space and comments. */
const TRIVIA = /(?:\s+|\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)*/y;

/** Returns the offset of the first character from `offset` on that is neither white space nor in a comment. */
export function skipTrivia(text: string, offset: number): number {
  TRIVIA.lastIndex = offset;
  return offset + (TRIVIA.exec(text)?.[0].length ?? 0);
}

/** @throws StoreError that names the line of the error, if the text is not JSON */
export function parseDocument(text: string): JsonDocument {
  if (skipTrivia(text, 0) === text.length) return { text, root: undefined };
  const errors: ParseError[] = [];
  const root = toTree(text.replace(/^\uFEFF/, " "), errors); // of the same length, for the offsets
  const [error] = errors;
  if (error)
    throw unreadable(
      "The document",
      `is not JSON: ${toWords(printParseErrorCode(error.error))} ${lineOf(text, error)}`,
    );
  return { text, root };
}

function toTree(text: string, errors: ParseError[]): Node | undefined {
  try {
    return parseTree(text, errors, { allowTrailingComma: true });
  } catch (cause) {
    throw unreadable("The document", "is nested too deeply", { cause }); // the parser is recursive
  }
}

/** `UnexpectedEndOfString` → `unexpected end of string` */
const toWords = (code: string): string => code.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

function lineOf(text: string, { offset }: ParseError): string {
  const lines = text.slice(0, offset).split(/\r\n|[\r\n]/);
  return `in line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}

/**
 * Follows a path.
 *
 * @throws StoreError if a value on the path is of another type, or if several entries match
 */
export function locate({ root }: JsonDocument, steps: Steps): Place {
  if (!root) return { kind: "empty", rest: steps };
  let node = root;
  for (const [index, step] of steps.entries()) {
    const rest = steps.slice(index);
    if (node.type === "null") return { kind: "null", node, rest };
    const next = childOf(node, step, () => showSteps(steps.slice(0, index)));
    if (!next) return { kind: "missing", node, rest };
    node = next;
  }
  return { kind: "found", node };
}

/** A value of another type than a path expects. */
export interface Obstacle {
  /** `undefined` if it is the root. */
  readonly parent: Node | undefined;
  /** The property or the entry that holds it. */
  readonly child: Node;
}

/** Returns the value on a path that is of another type, if there is one. */
export function obstacleOn({ root }: JsonDocument, steps: Steps): Obstacle | undefined {
  let [parent, child, value]: [Node | undefined, Node | undefined, Node | undefined] = [undefined, root, root];
  for (const step of steps) {
    if (!child || !value || value.type === "null") return undefined;
    if (value.type !== containerFor(step)) return { parent, child };
    const next = childrenOf(value, step).at(-1);
    [parent, child, value] = [value, next?.child, next?.value];
  }
  return undefined;
}

/** Returns the type of the values in which a step leads somewhere. */
const containerFor = (step: Step): "object" | "array" => (typeof step === "string" ? "object" : "array");

function childOf(node: Node, step: Step, place: () => string): Node | undefined {
  const type = containerFor(step);
  if (node.type !== type) throw unreadable(place(), `is ${describeNode(node)}, not an ${type}`);
  const matches = childrenOf(node, step);
  if (type === "array" && matches.length > 1)
    throw unreadable(`${place()}${showSteps([step])}`, "matches several entries");
  return matches.at(-1)?.value; // of several properties with one name, the last one counts, as for `JSON.parse`
}

/** Returns the children that a step leads to: properties with their values, or entries, which are their own values. */
export function childrenOf(
  { type, children = [] }: Node,
  step: Step,
): readonly { readonly child: Node; readonly value: Node | undefined }[] {
  if (typeof step !== "string")
    return type === "array" ? children.filter(isSelectedBy(step)).map((child) => ({ child, value: child })) : [];
  const properties = type === "object" ? children.filter((property) => property.children?.[0]?.value === step) : [];
  return properties.map((child) => ({ child, value: child.children?.[1] }));
}

const isSelectedBy =
  (selection: Exclude<Step, string>) =>
  (entry: Node): boolean =>
    entry.type === "object" &&
    selection.every(([name, value]) => childrenOf(entry, name).at(-1)?.value?.value === value);

/** Describes the type of a value for messages. Never its contents. */
export function describeNode({ type, value }: Node): string {
  if (type === "null") return "null";
  if (value === "") return "an empty string";
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}
