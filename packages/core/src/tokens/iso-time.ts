const DATE = String.raw`([+-]\d{6}|\d{4})-(\d\d)-(\d\d)`;
const TIME = String.raw`(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?`;
const ZONE = String.raw` ?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)`;
const ISO_TIME = new RegExp(`^${DATE}(?:([T ])${TIME}(${ZONE})?)?$`, "i");

/** A time that was read, and how it is written. */
export interface IsoTime {
  /** Epoch milliseconds. Without a time zone, the time is taken to be in UTC. */
  readonly time: number;
  /** Between the date and the time; `undefined` if there is only a date. */
  readonly separator: string | undefined;
  /** The number of digits after the second. */
  readonly digits: number;
  /** The time zone as it is written, or an empty string. */
  readonly zone: string;
  /** The offset of the time zone from UTC, in milliseconds. */
  readonly offset: number;
}

/**
 * Reads an ISO 8601 time ({@link https://www.rfc-editor.org/rfc/rfc3339 RFC 3339}, and what programs write besides). Returns
 * `undefined` if the text is not a time.
 */
export function readIsoTime(text: string): IsoTime | undefined {
  const [, year, month, day, separator, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] =
    ISO_TIME.exec(text) ?? [];
  const date = `${year}-${month}-${day}`;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const local = Date.parse(`${date}T${hour}:${minute}:${second}.${fraction.padEnd(3, "0").slice(0, 3)}Z`);
  if (Number.isNaN(midnight) || Number.isNaN(local)) return undefined;
  if (!new Date(midnight).toISOString().startsWith(date)) return undefined; // there is no February 30
  const offset = offsetOf(zone);
  return { time: local - offset, separator, digits: fraction.length, zone, offset };
}

function offsetOf(zone: string): number {
  const [, sign, hours = "0", minutes = "0"] = /^ ?([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
}
