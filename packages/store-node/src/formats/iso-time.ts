const DATE = String.raw`([+-]\d{6}|\d{4})-(\d\d)-(\d\d)`;
const TIME = String.raw`(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?`;
const ISO_TIME = new RegExp(String.raw`^${DATE}(?:([T ])${TIME}( ?(?:Z|[+-]\d\d(?::?\d\d)?))?)?$`, "i");

const DAY = 24 * 60 * 60_000;
const LAST_DATE = 8.64e15; // the latest time that a Date can represent

/** The parts of an ISO 8601 time that differ between programs. */
interface Style {
  readonly separator: string;
  /** The number of digits after the second. */
  readonly digits: number;
  readonly zone: string;
}

/**
 * Reads an ISO 8601 time ({@link https://www.rfc-editor.org/rfc/rfc3339 RFC 3339}, and what programs write besides).
 * One without a time zone is in UTC. Returns epoch milliseconds, or `undefined` if the text is not a time.
 */
export function parseIsoTime(text: string): number | undefined {
  const [, year, month, day, , hour = "00", minute = "00", second = "00", fraction = "", zone = ""] =
    ISO_TIME.exec(text) ?? [];
  if (year === undefined) return undefined;
  const date = `${year}-${month}-${day}`;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const isDate = new Date(Number.isNaN(midnight) ? 0 : midnight).toISOString().startsWith(date); // no February 30
  const time = Date.parse(`${date}T${hour}:${minute}:${second}.${fraction.padEnd(3, "0").slice(0, 3)}Z`);
  return isDate && !Number.isNaN(time) ? time - offsetOf(zone) : undefined;
}

/** Returns the offset of a time zone from UTC, in milliseconds. */
function offsetOf(zone: string): number {
  const [, sign, hours = "0", minutes = "0"] = /^ ?([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}

/** Writes epoch milliseconds in the style of `example`, or like `Date` if that is not a time. Loses no milliseconds. */
export function printIsoTime(time: number, example: string): string {
  const { separator, digits, zone } = styleOf(Math.abs(time) < LAST_DATE - DAY ? example : "");
  const local = new Date(Math.floor(time) + offsetOf(zone)).toISOString();
  const [date = "", clock = ""] = local.slice(0, -1).split("T");
  const [wholeSeconds = "", fraction = ""] = clock.split(".");
  const shown = Math.max(digits, fraction === "000" ? 0 : 3);
  return `${date}${separator}${wholeSeconds}${shown === 0 ? "" : `.${fraction.padEnd(shown, "0").slice(0, shown)}`}${zone}`;
}

function styleOf(example: string): Style {
  const [, , , , separator, , , , fraction = "", zone] = ISO_TIME.exec(example) ?? [];
  if (separator === undefined) return { separator: "T", digits: 3, zone: "Z" };
  return { separator, digits: fraction.length, zone: zone ?? "" };
}
