import { toTime } from "../util/clock.ts";
import { readIsoTime } from "./iso-time.ts";
import { expiryOf, lifetimeOf } from "./jwt.ts";

const EARLIEST = 1e9; // as seconds: 2001
const LATEST = 1e11; // as milliseconds: 1973

/**
 * Returns a date and time of ISO 8601 with its time zone in epoch milliseconds, and every other value unchanged. Without a time
 * zone, programs may mean UTC or their own.
 */
export function fromIsoTime(given: unknown): unknown {
  const read = typeof given === "string" ? readIsoTime(given) : undefined;
  return read?.zone ? read.time : given;
}

/** Returns whether a number can only be an expiry in seconds. */
export const isInSeconds = (given: unknown): boolean =>
  typeof given === "number" && given >= EARLIEST && given < LATEST;

/** Reads an expiry that a refresh function returned; `undefined` if it is neither of ISO 8601 nor in milliseconds. */
export function readExpiry(given: unknown): number | undefined {
  const time = fromIsoTime(given);
  return typeof time === "number" && time >= LATEST ? toTime(time) : undefined;
}

/** Reads `expires_in` in milliseconds. Zero is what some servers send for "never". */
export const toLifetime = (value: unknown): number | undefined => {
  const seconds = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof seconds === "number" && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
};

/**
 * Returns the expiry of the refresh token of a response that was requested at `sentAt`, if it tells one: in seconds, by the
 * names that Google and GitHub, Keycloak, and Intuit use. Zero is unknown; Keycloak sends it for "never".
 */
export function refreshExpiryOf(response: Readonly<Record<string, unknown>>, sentAt: number): number | undefined {
  const { refresh_token_expires_in, refresh_expires_in, x_refresh_token_expires_in } = response;
  const given = [refresh_token_expires_in, refresh_expires_in, x_refresh_token_expires_in].map(toLifetime);
  const lifetime = given.find((each) => each !== undefined);
  return lifetime === undefined ? undefined : toTime(sentAt + lifetime);
}

/**
 * Returns the expiry of a token that was requested at `sentAt`: after the shorter of its lifetimes according to the
 * response and to a JWT. The `exp` of a JWT alone counts only if nothing tells a lifetime, and not if it is past: then the
 * clocks disagree.
 */
export function expiryOnArrival(accessToken: string, granted: number | undefined, sentAt: number): number | undefined {
  const lifetimes = [granted, lifetimeOf(accessToken)].filter((each) => each !== undefined);
  if (lifetimes.length > 0) return toTime(sentAt + Math.min(...lifetimes));
  const expiry = expiryOf(accessToken) ?? 0;
  return expiry > sentAt ? expiry : undefined;
}
