import type { StoreError } from "@unexpired/core";
import type { Node } from "jsonc-parser";
import { parseIsoTime, printIsoTime } from "./iso-time.ts";
import { describeNode } from "./json-document.ts";
import { unreadable } from "./unreadable.ts";

/** A value in a document, and its place for messages. */
interface Source {
  readonly node: Node;
  readonly text: string;
  readonly location: string;
}

/** Converts a member of a session to a JSON value and back. Times are in epoch milliseconds. */
export interface ValueType<T extends string | number = string | number> {
  /**
   * Returns `undefined` for `null` and for empty values.
   *
   * @throws StoreError that names the place
   */
  read(source: Source): T | undefined;
  /** Returns the JSON value, in the style of the one that is there. */
  write(value: T, found: Node | undefined): Json;
  /** Returns the value as it will be read, once it has been written where there was none. */
  round(value: T): T;
}

/** A JSON value: a scalar as its text, or the items of an array. */
type Json = string | readonly string[];

const wrongType = ({ node, location }: Source, expected: string): StoreError =>
  unreadable(location, `is ${describeNode(node)}, not ${expected}`);

const keep = <T>(value: T): T => value;

const readString = (source: Source): string | undefined => {
  const { type, value } = source.node;
  if (type === "null") return undefined;
  if (type !== "string") throw wrongType(source, "a string");
  return (value as string) || undefined;
};

/** A string. */
export const stringValue: ValueType<string> = {
  read: readString,
  write: (value) => JSON.stringify(value),
  round: keep,
};

/** A string, or the digits of an integer, of any size. */
export const idValue: ValueType<string> = {
  read(source) {
    const { node, text, location } = source;
    if (node.type !== "number") return readString(source);
    const digits = text.slice(node.offset, node.offset + node.length);
    if (!INTEGER.test(digits)) throw unreadable(location, "is a number, but not an integer");
    return digits;
  },
  write: (value, found) => (found?.type === "number" && INTEGER.test(value) ? value : JSON.stringify(value)),
  round: keep,
};

const INTEGER = /^(?:0|-?[1-9]\d*)$/;

/** A space-separated list as one string, or as an array of strings. */
export const listValue = (unit: "string" | "array"): ValueType<string> => ({
  read(source) {
    const { node } = source;
    if (node.type !== "array") return readString(source);
    return (node.children ?? []).map((item) => readItem(source, item)).join(" ") || undefined;
  },
  write(value, found) {
    const isArray = found && found.type !== "null" ? found.type === "array" : unit === "array";
    return isArray
      ? value
          .split(" ")
          .filter(Boolean)
          .map((item) => JSON.stringify(item))
      : JSON.stringify(value);
  },
  round: (value) => (unit === "array" ? value.split(" ").filter(Boolean).join(" ") : value),
});

const readItem = ({ location }: Source, item: Node): string => {
  if (item.type === "string") return item.value as string;
  throw unreadable(location, `contains ${describeNode(item)}, not only strings`);
};

/** The form in which a document states a time. */
export type TimeUnit = "ms" | "s" | "iso";

/** The last time that a `Date` can represent. */
const LAST_DATE = 8.64e15;

/** Numbers that are plausible in one unit, the years 2001 to 2096, and not in the other one. */
const isPlausible = (value: number, second: number): boolean => value >= 1e9 * second && value < 4e9 * second;

const readNumber = (source: Source): number | undefined => {
  const { type, value } = source.node;
  if (type === "null" || value === "") return undefined;
  if (type !== "number" && type !== "string") throw wrongType(source, "a number");
  if (type === "string" && !/^-?\d+(?:\.\d+)?$/.test(value as string))
    throw unreadable(source.location, "is a string that is not a number");
  return Number(value);
};

const inRange = ({ location }: Source, time: number): number => {
  if (Math.abs(time) <= LAST_DATE) return time;
  throw unreadable(location, "is not a time that a Date can represent");
};

/** A number that stays a string if it was one. */
const writeNumber = (value: number, found: Node | undefined): string =>
  found?.type === "string" && found.value !== "" ? JSON.stringify(String(value)) : String(value);

const milliseconds: ValueType<number> = {
  read(source) {
    const value = readNumber(source);
    if (value === undefined) return undefined;
    if (isPlausible(value, 1))
      throw unreadable(source.location, 'is in seconds, not in milliseconds: its unit has to be "s"');
    return inRange(source, value);
  },
  write(value, found) {
    if (isPlausible(value, 1))
      throw new TypeError(
        "jsonFormat: a time of the session is in seconds. Pass epoch milliseconds: multiply it by 1,000.",
      );
    return writeNumber(value, found);
  },
  round: keep,
};

const wholeSeconds = (time: number): number => Math.floor(time / 1000);

/** A duration in seconds, such as the `expires_in` of a token response. In a session, milliseconds. */
export const duration: ValueType<number> = {
  read(source) {
    const value = readNumber(source);
    return value === undefined ? undefined : inRange(source, Math.round(value * 1000));
  },
  write: (value, found) => writeNumber(wholeSeconds(value), found),
  round: (value) => wholeSeconds(value) * 1000,
};

const seconds: ValueType<number> = {
  ...duration,
  read(source) {
    const value = duration.read(source);
    if (value !== undefined && isPlausible(value / 1000, 1000))
      throw unreadable(source.location, 'is in milliseconds, not in seconds: its unit has to be "ms"');
    return value;
  },
};

const iso: ValueType<number> = {
  read(source) {
    const { node, location } = source;
    if (node.type === "number")
      throw unreadable(location, 'is a number, not an ISO 8601 time: its unit has to be "ms" or "s"');
    const text = readString(source);
    if (text === undefined) return undefined;
    const time = parseIsoTime(text);
    if (time === undefined) throw unreadable(location, "is not an ISO 8601 time");
    return inRange(source, time);
  },
  write: (value, found) => JSON.stringify(printIsoTime(value, found?.type === "string" ? String(found.value) : "")),
  round: Math.floor,
};

/** The moment in one of the units. */
export const timeValue = (unit: TimeUnit): ValueType<number> => ({ ms: milliseconds, s: seconds, iso })[unit];
