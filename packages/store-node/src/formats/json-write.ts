import { type JsonDocument, locate, type Place, parseDocument, propertiesOf } from "./json-document.ts";
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

function edit(document: JsonDocument, edits: readonly Edit[]): JsonDocument {
  return edits.length === 0 ? document : parseDocument(applyEdits(document.text, edits));
}

function replacement(document: JsonDocument, { field, value }: Change): readonly Edit[] {
  const place = locate(document, field.steps);
  if (value === undefined || place.kind !== "found" || isStated(document, { field, value }, place)) return [];
  return [replaceValue(document, place.node, contentOf(field, value, place))];
}

type Found = Extract<Place, { kind: "found" }>;

/** Returns whether a document states a value, up to its precision. */
function isStated({ text }: JsonDocument, { field, value }: Change, { node }: Found): boolean {
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
  const place = locate(document, field.steps);
  if (value !== undefined)
    return place.kind === "found" ? document : add(document, place, contentOf(field, value, place));
  if (place.kind !== "found" || isStated(document, change, place)) return document;
  return writeStructure(remove(document, field.steps), change); // the property may be there more than once
}

function remove(document: JsonDocument, steps: Steps): JsonDocument {
  const parent = locate(document, steps.slice(0, -1));
  const property = parent.kind === "found" ? propertiesOf(parent.node, String(steps.at(-1))).at(-1) : undefined;
  return parent.kind === "found" && property ? edit(document, removeChild(document, parent.node, property)) : document;
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
