import type { Node } from "jsonc-parser";
import type { JsonDocument } from "./json-document.ts";
import {
  afterComma,
  type Content,
  indentAt,
  renderContent,
  renderProperty,
  type Style,
  sourceOf,
  styleOf,
} from "./json-style.ts";

/** A replacement of a part of a text. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly content: string;
}

/** Applies edits that do not overlap. */
export const applyEdits = (text: string, edits: readonly Edit[]): string =>
  edits
    .toSorted((a, b) => b.start - a.start)
    .reduce((rest, { start, end, content }) => rest.slice(0, start) + content + rest.slice(end), text);

const endOf = ({ offset, length }: Node): number => offset + length;

/** Replaces a value. A list looks like the one that it replaces. */
export function replaceValue(document: JsonDocument, node: Node, content: Content): Edit {
  const style = node.type === "array" ? styleOfList(document, node) : styleOf(document);
  const indent = indentAt(document.text, node.offset);
  return { start: node.offset, end: endOf(node), content: renderContent(content, style, indent) };
}

function styleOfList(document: JsonDocument, list: Node): Style {
  const [style, source] = [styleOf(document), sourceOf(document, list)];
  const [first, second] = list.children ?? [];
  const between = first && second ? document.text.slice(endOf(first), second.offset) : "";
  const comma = /^[ \t]*,[ \t]*$/.test(between) ? between : style.comma;
  return { ...style, comma, isMultiLine: /[\r\n]/.test(source) };
}

/** An addition to a container: a property, or an item without a name. */
export interface Addition {
  readonly name?: string;
  readonly content: Content;
}

/** Adds to the end of an object or an array. */
export function addChild(document: JsonDocument, container: Node, addition: Addition): readonly Edit[] {
  const last = container.children?.at(-1);
  return last ? addAfter(document, { container, last }, addition) : [fillEmpty(document, container, addition)];
}

const renderAddition = ({ name, content }: Addition, style: Style, indent: string): string =>
  name === undefined ? renderContent(content, style, indent) : renderProperty([name, content], style, indent);

const insertion = (start: number, content: string): Edit => ({ start, end: start, content });

/** Comments in the rest of a line, after which the line ends. */
const LINE_COMMENTS = /(?:[ \t]*(?:\/\/[^\r\n]*|\/\*(?:(?!\*\/)[^\r\n])*\*\/))*(?=[ \t]*[\r\n])/y;

function addAfter(
  document: JsonDocument,
  { container, last }: { readonly container: Node; readonly last: Node },
  addition: Addition,
): readonly Edit[] {
  const { text } = document;
  const end = endOf(last);
  const comma = afterComma(text, end);
  LINE_COMMENTS.lastIndex = comma ?? end;
  const comments = LINE_COMMENTS.exec(text)?.[0];
  const isMultiLine = comments !== undefined || startsLine(text, container, last);
  const style = { ...styleOf(document), isMultiLine };
  const indent = isMultiLine ? indentAt(text, last.offset) : indentAt(text, container.offset);
  const item = renderAddition(addition, style, indent);
  const lead = isMultiLine ? style.eol + indent : style.comma.slice(1);
  const place = (comma ?? end) + (comments?.length ?? 0);
  if (comma !== undefined) return [insertion(place, `${lead}${item},`)];
  return place === end ? [insertion(end, `,${lead}${item}`)] : [insertion(end, ","), insertion(place, lead + item)];
}

/** Returns whether the last child of a container is on another line than what precedes it. */
function startsLine(text: string, { offset, children = [] }: Node, last: Node): boolean {
  const previous = children.at(-2);
  return /[\r\n]/.test(text.slice(previous ? endOf(previous) : offset, last.offset));
}

function fillEmpty(document: JsonDocument, container: Node, addition: Addition): Edit {
  const { text } = document;
  const [start, end] = [container.offset + 1, endOf(container) - 1];
  const style = styleOf(document);
  const base = indentAt(text, container.offset);
  const indent = style.isMultiLine ? base + style.unit : base;
  const item = renderAddition(addition, style, indent);
  const lead = style.isMultiLine ? style.eol + indent : "";
  const isBlank = text.slice(start, end).trim() === "";
  if (!isBlank) return insertion(start, lead + item); // before the comments
  return { start, end, content: `${lead}${item}${style.isMultiLine ? style.eol + base : ""}` };
}

/** Removes a child of an object or an array with its comma, and leaves the comments around it. */
export function removeChild({ text }: JsonDocument, container: Node, child: Node): readonly Edit[] {
  const { children = [] } = container;
  const previous = children[children.indexOf(child) - 1];
  const end = endOf(child);
  const comma = afterComma(text, end) ?? (previous && afterComma(text, endOf(previous)));
  const isNext = comma !== undefined && comma > end && text.slice(end, comma - 1).trim() === "";
  const removed = withSpace(text, container, { start: child.offset, end: isNext ? comma : end, content: "" });
  return comma === undefined || isNext ? [removed] : [removed, { start: comma - 1, end: comma, content: "" }];
}

/** Adds to a removal the white space on one side, or on both if the container is empty afterwards. */
function withSpace(text: string, container: Node, removal: Edit): Edit {
  const lead = text.slice(0, removal.start).trimEnd().length;
  const end = text.length - text.slice(removal.end).trimStart().length;
  const line = text.slice(lead, removal.start).search(/[\r\n]/);
  const start = lead + Math.max(line, 0); // the white space before a line end may belong to a comment
  const [opens, closes] = [lead === container.offset + 1, end === endOf(container) - 1];
  if (opens && closes) return { ...removal, start: lead, end };
  const rest = text.slice(removal.end, end).search(/[\r\n]/);
  if (rest >= 0) return { ...removal, start, end: removal.end + rest };
  return closes && line < 0 ? { ...removal, start } : { ...removal, end };
}
