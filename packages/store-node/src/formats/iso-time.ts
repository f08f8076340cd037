import { type IsoTime, readIsoTime } from "@unexpired/core/session-record";

const DAY = 24 * 60 * 60_000;
const LAST_DATE = 8.64e15; // the latest time that a Date can represent

/** Reads an ISO 8601 time in epoch milliseconds; `undefined` if the text is not a time. Without a time zone, it is in UTC. */
export const parseIsoTime = (text: string): number | undefined => readIsoTime(text)?.time;

/** Writes epoch milliseconds in the style of `example`, or like `Date` if that is not a time. Loses no milliseconds. */
export function printIsoTime(time: number, example: string): string {
  const { separator, digits, zone, offset } = styleOf(Math.abs(time) < LAST_DATE - DAY ? example : "");
  const local = new Date(Math.floor(time) + offset).toISOString();
  const [date = "", clock = ""] = local.slice(0, -1).split("T");
  const [wholeSeconds = "", fraction = ""] = clock.split(".");
  const shown = Math.max(digits, fraction === "000" ? 0 : 3);
  return `${date}${separator}${wholeSeconds}${shown === 0 ? "" : `.${fraction.padEnd(shown, "0").slice(0, shown)}`}${zone}`;
}

function styleOf(example: string): Omit<IsoTime, "time"> {
  const found = readIsoTime(example);
  return found?.separator === undefined ? { separator: "T", digits: 3, zone: "Z", offset: 0 } : found;
}
