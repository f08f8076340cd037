import type { Node } from "jsonc-parser";
import { childrenOf, type JsonDocument, locate, obstacleOn, type Place, parseDocument } from "./json-document.ts";
import { addChild, applyEdits, type Edit, removeChild, replaceValue } from "./json-edit.ts";
import { type Field, placeOf } from "./json-fields.ts";
import type { Steps } from "./json-path.ts";
import { type Content, renderContent, styleOf } from "./json-style.ts";
import type { Change, Value } from "./members.ts";

/** Returns the text of a document after changes, with every byte that they do not concern. */
export function writeChanges(document: JsonDocument, changes: readonly Change[]): string {
  // Values that are there are replaced together; a member that comes or goes moves the others.
  const replaced = edit(
    document,
    changes.flatMap((change) => replacement(document, change)),
  );
  return changes.reduce((current, change) => writeStructure(current, change), replaced).text;
}

/** Removes the values that a path does not lead through. Returns `undefined` if the root is one. */
export function clearPath(document: JsonDocument, steps: Steps): JsonDocument | undefined {
  const obstacle = obstacleOn(document, steps);
  if (!obstacle) return document;
  const { parent, child } = obstacle;
  return parent && clearPath(edit(document, removeChild(document, parent, child)), steps);
}

function edit(document: JsonDocument, edits: readonly Edit[]): JsonDocument {
  return edits.length === 0 ? document : parseDocument(applyEdits(document.text, edits));
}

function replacement(document: JsonDocument, { field, value }: Change): readonly Edit[] {
  const place = locate(document, field.steps);
  if (value === undefined || place.kind !== "found" || isStated(document, { field, value }, place.node)) return [];
  return [replaceValue(document, place.node, contentOf(field, value, place))];
}

type Found = Extract<Place, { kind: "found" }>;

/** Returns whether a document states a value, up to its precision. */
function isStated({ text }: JsonDocument, { field, value }: Change, node: Node): boolean {
  try {
    const stated = field.type.read({ node, text, location: placeOf(field) });
    return stated === value || (value !== undefined && stated === field.type.round(value));
  } catch {
    return false; // an invalid value that an ended session left behind
  }
}

function contentOf(field: Field, value: Value, place: Place): Content {
  const json = field.type.write(value, place.kind === "found" ? place.node : undefined);
  return typeof json === "string" ? json : { items: json };
}

/** Adds or removes a value, together with the containers that it needs. */
function writeStructure(document: JsonDocument, change: Change): JsonDocument {
  const { field, value } = change;
  if (value === undefined) return remove(document, change);
  const place = locate(document, field.steps);
  return place.kind === "found" ? document : add(document, place, contentOf(field, value, place));
}

/** Removes a value, wherever the document states one: a property on the path may be there more than once. */
function remove(document: JsonDocument, change: Change): JsonDocument {
  const all = document.root ? occurrencesOf(document.root, change.field.steps) : [];
  const last = all.findLast(({ value }) => value && !isStated(document, change, value));
  return last ? remove(edit(document, removeChild(document, last.parent, last.property)), change) : document;
}

interface Occurrence {
  readonly parent: Node;
  readonly property: Node;
  readonly value: Node | undefined;
}

/** Returns all properties that a path leads to, also those that do not count because another one of the same name follows. */
function occurrencesOf(parent: Node, [step = "", ...rest]: Steps): readonly Occurrence[] {
  const children = childrenOf(parent, step);
  if (rest.length > 0) return children.flatMap(({ value }) => (value ? occurrencesOf(value, rest) : []));
  return children.map(({ child: property, value }) => ({ parent, property, value }));
}

function add(document: JsonDocument, place: Exclude<Place, Found>, value: Content): JsonDocument {
  if (place.kind === "empty") return parseDocument(startDocument(document, nest(place.rest, value)));
  const { kind, node, rest } = place;
  if (kind === "null") return edit(document, [replaceValue(document, node, nest(rest, value))]);
  const [step = "", ...inner] = rest;
  const content = nest(inner, value);
  const addition = typeof step === "string" ? { name: step, content } : { content: select(step, content) };
  return edit(document, addChild(document, node, addition));
}

/** Returns the containers along a path, with `value` at its end. */
function nest([step, ...rest]: Steps, value: Content): Content {
  if (step === undefined) return value;
  const content = nest(rest, value);
  return typeof step === "string" ? { properties: [[step, content]] } : { items: [select(step, content)] };
}

/** Adds to an entry the properties by which it is selected. */
function select(selection: Exclude<Steps[number], string>, entry: Content): Content {
  const rest = typeof entry === "object" && "properties" in entry ? entry.properties : [];
  return { properties: [...selection.map(([name, value]) => [name, JSON.stringify(value)] as const), ...rest] };
}

/** Writes the first value of an empty document, after its comments. */
function startDocument(document: JsonDocument, content: Content): string {
  const style = styleOf(document);
  const { text } = document;
  const isBlank = text.trim() === "";
  const before = isBlank ? (/^\uFEFF/.exec(text)?.[0] ?? "") : text.replace(/[^\r\n]$/, `$&${style.eol}`);
  return `${before}${renderContent(content, style, "")}${style.eol}`;
}
