/** Finds the English in TypeScript: comments, test names, error messages. */
import ts from "typescript";
import { blank, type Kind, type Passage, withoutCode } from "./passage.ts";

/**
 * Comments, test names and messages, in the order of the file. With `isProgram` each string of three words or more
 * counts as a message, since it may end up in one.
 */
export function typescriptPassages(code: string, isProgram = false): Passage[] {
  const file = ts.createSourceFile("file.ts", code, ts.ScriptTarget.Latest);
  const reader = new Reader(file, isProgram);
  reader.read(file);
  return [...reader.passages.values()].sort((a, b) => a.start - b.start);
}

type StringNode = ts.StringLiteralLike | ts.TemplateExpression;

const isString = (node: ts.Node): node is StringNode => ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

class Reader {
  /** By their offset, because the strings of a nested property are met more than once. */
  readonly passages = new Map<number, Passage>();
  readonly #file: ts.SourceFile;
  readonly #isProgram: boolean;
  /** The offsets of doc comments on booleans. */
  readonly #booleanDocs = new Set<number>();

  constructor(file: ts.SourceFile, isProgram: boolean) {
    this.#file = file;
    this.#isProgram = isProgram;
  }

  read(node: ts.Node): void {
    const children = node.getChildren(this.#file);
    const docs = children.filter(ts.isJSDoc);
    if (docs.length > 0 && isBoolean(node, this.#file)) for (const { pos } of docs) this.#booleanDocs.add(pos);
    if (children.length === docs.length) this.#readComments(node.pos, node.getStart(this.#file));
    this.#readMessages(node);
    for (const child of children) if (!ts.isJSDoc(child)) this.read(child);
  }

  #readMessages(node: ts.Node): void {
    if (ts.isCallExpression(node)) this.#readCall(node);
    else if (ts.isNewExpression(node)) this.#readError(node);
    else if (ts.isPropertyAssignment(node)) this.#readProperty(node);
    else if (this.#isProgram && isString(node) && /\w \S+ \S/.test(node.getText(this.#file))) {
      this.#readStrings(node, "message");
    }
  }

  #readError(node: ts.NewExpression): void {
    if (!/Error$/.test(node.expression.getText(this.#file))) return;
    for (const argument of node.arguments ?? []) this.#readStrings(argument, "message");
  }

  /** `start` and `end` enclose what is between two tokens: only whitespace and comments. */
  #readComments(start: number, end: number): void {
    if (end - start < 3) return;
    const comments = this.#file.text
      .slice(start, end)
      .matchAll(/\/\*[\s\S]*?\*\/|\/\/[^\n]*(?:\r?\n[ \t]*\/\/[^\n]*)*/g);
    for (const { 0: comment, index } of comments) {
      const text = comment.replace(/^\s*(?:\/\*+|\*+\/?|\/\/+)|\*+\/$/gm, blank);
      const isBooleanDoc = this.#booleanDocs.has(start + index);
      const kind = isBooleanDoc ? "boolean doc" : comment.startsWith("/**") ? "doc" : "comment";
      this.#add({ kind, start: start + index, text });
    }
  }

  /** A call is a test if it is named so, or if it takes a title and a function: `schedule("two processes", run)`. */
  #readCall({ expression, arguments: [first, ...rest] }: ts.CallExpression): void {
    if (!first) return;
    const isNamedSo = /^(it|test|describe|ctx|context)$/.test(rootOf(expression).getText(this.#file));
    if (!isNamedSo && !(this.#isTitle(first) && rest.some(ts.isFunctionLike))) return;
    for (const name of titlesIn(first)) this.#readStrings(name, "test name");
  }

  #isTitle(node: ts.Node): boolean {
    return isString(node) && /\w \S/.test(node.getText(this.#file));
  }

  #readProperty({ name, initializer }: ts.PropertyAssignment): void {
    const property = name.getText(this.#file);
    if (/^(problem|advice|hint|message)$/.test(property)) this.#readStrings(initializer, "message");
    if (property === "name") this.#readStrings(initializer, "test name");
  }

  #readStrings(node: ts.Node, kind: Kind): void {
    if (ts.isFunctionLike(node)) return;
    if (isString(node)) this.#add(this.#stringOf(node, kind));
    else ts.forEachChild(node, (child) => this.#readStrings(child, kind));
  }

  /** A string without its quotes; what a template inserts is blanked. */
  #stringOf(node: StringNode, kind: Kind): Passage {
    const start = node.getStart(this.#file);
    const text = node.getText(this.#file);
    if (!ts.isTemplateExpression(node)) return { kind, start, text: ` ${text.slice(1, -1)} ` };
    const inserted = node.templateSpans.map(({ expression }) => expression);
    const masked = inserted.reduce((rest, { pos, end }) => {
      const [from, to] = [pos - start - 2, end - start + 1];
      return rest.slice(0, from) + blank(rest.slice(from, to)) + rest.slice(to);
    }, text);
    return { kind, start, text: ` ${masked.slice(1, -1)} ` };
  }

  #add(passage: Passage): void {
    this.passages.set(passage.start, { ...passage, text: withoutCode(passage.text) });
  }
}

/** The string itself, or the first strings in the rows of `it.each([["a title", 1], …])`. */
function titlesIn(argument: ts.Expression): readonly StringNode[] {
  const rows = ts.isArrayLiteralExpression(argument) ? argument.elements : [argument];
  const titles = rows.map((row) => (ts.isArrayLiteralExpression(row) ? row.elements[0] : row));
  return titles.filter((title) => title !== undefined && isString(title));
}

/** `it` in `it.skip.each(rows)(name, body)`. */
function rootOf(node: ts.Expression): ts.Expression {
  if (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) return rootOf(node.expression);
  return ts.isTaggedTemplateExpression(node) ? rootOf(node.tag) : node;
}

const BOOLEAN_NAME = /^#?(is|are|was|has|had|can|could|should|must|may|will|did|does|needs|allows|supports)(?![a-z])/;

/** Tells whether a declaration is a boolean or a function that returns one, by its name or its declared type. */
function isBoolean(node: ts.Node, file: ts.SourceFile): boolean {
  const declaration = ts.isVariableStatement(node) ? node.declarationList.declarations[0] : node;
  if (!declaration) return false;
  const { name, type, initializer } = declaration as Partial<ts.VariableDeclaration>;
  const result = initializer && ts.isArrowFunction(initializer) ? initializer.type : undefined;
  const types = [type, result].map((declared) => declared?.getText(file) ?? "");
  return BOOLEAN_NAME.test(name?.getText(file) ?? "") || types.some((text) => /\bboolean\b|\w+ is \w+/.test(text));
}
