import type { Node } from "jsonc-parser";
import { type JsonDocument, skipTrivia } from "./json-document.ts";

/** How a document is laid out, so that an addition looks like the rest. */
export interface Style {
  readonly eol: string;
  /** One level of indentation. */
  readonly unit: string;
  /** Between a property's name and its value. */
  readonly colon: string;
  /** Between two items on one line. */
  readonly comma: string;
  /** Whether items are on lines of their own. */
  readonly isMultiLine: boolean;
}

const FRESH: Style = { eol: "\n", unit: "  ", colon: ": ", comma: ", ", isMultiLine: true };

/** Returns the text that a node covers. */
export const sourceOf = ({ text }: JsonDocument, { offset, length }: Node): string =>
  text.slice(offset, offset + length);

/** Returns the white space at the beginning of the line that `offset` is in. */
export function indentAt(text: string, offset: number): string {
  const start = Math.max(text.lastIndexOf("\n", offset - 1), text.lastIndexOf("\r", offset - 1)) + 1;
  return /[ \t]*/y.exec(text.slice(start, offset))?.[0] ?? "";
}

/** Returns the style of a document. One that is empty, or an empty object, is written as new. */
export function styleOf(document: JsonDocument): Style {
  const { text, root } = document;
  const eol = /\r\n|[\r\n]/.exec(text)?.[0] ?? FRESH.eol;
  const first = root?.children?.[0];
  if (!root || !first) return { ...FRESH, eol };
  const colon = colonOf(document, firstProperty(root));
  const isMultiLine = /[\r\n]/.test(sourceOf(document, root));
  return { eol, unit: unitOf(text, root, first), colon, comma: /\s$/.test(colon) ? ", " : ",", isMultiLine };
}

function unitOf(text: string, parent: Node, first: Node): string {
  const [outer, inner] = [indentAt(text, parent.offset), indentAt(text, first.offset)];
  return (inner.startsWith(outer) && inner.slice(outer.length)) || FRESH.unit;
}

function firstProperty(node: Node): Node | undefined {
  if (node.type === "property") return node;
  for (const child of node.children ?? []) {
    const found = firstProperty(child);
    if (found) return found;
  }
  return undefined;
}

/** Returns the colon of a property with the spaces around it. */
function colonOf({ text }: JsonDocument, property: Node | undefined): string {
  const [key, value] = property?.children ?? [];
  if (!key || !value) return FRESH.colon;
  const colon = text.slice(key.offset + key.length, value.offset);
  return /^[ \t]*:[ \t]*$/.test(colon) ? colon : FRESH.colon;
}

/** A value to write: JSON text, the properties of an object, or the items of an array. */
export type Content =
  | string
  | { readonly properties: readonly (readonly [name: string, value: Content])[] }
  | { readonly items: readonly Content[] };

/** Writes a value. `indent` is that of the line on which it begins. */
export function renderContent(content: Content, style: Style, indent: string): string {
  if (typeof content === "string") return content;
  const inner = indent + style.unit;
  const [brackets, items] =
    "items" in content
      ? ["[]", content.items.map((item) => renderContent(item, style, inner))]
      : ["{}", content.properties.map((property) => renderProperty(property, style, inner))];
  const lead = style.isMultiLine ? style.eol + inner : "";
  const end = style.isMultiLine ? style.eol + indent : "";
  return `${brackets[0]}${lead}${items.join(style.isMultiLine ? `,${lead}` : style.comma)}${end}${brackets[1]}`;
}

/** Writes a property. */
export const renderProperty = ([name, value]: readonly [string, Content], style: Style, indent: string): string =>
  `${JSON.stringify(name)}${style.colon}${renderContent(value, style, indent)}`;

/** Returns the offset after the comma that follows `offset`, or `undefined` if none follows. */
export function afterComma(text: string, offset: number): number | undefined {
  const next = skipTrivia(text, offset);
  return text[next] === "," ? next + 1 : undefined;
}
