import * as z from "zod/mini";
import { isLoopback } from "../util/loopback.ts";

/** RFC 6749 §3.2: no fragment. */
function isEndpoint(given: unknown): boolean {
  const isUrl = typeof given === "string" || typeof Object(given).href === "string"; // a URL may be of another realm
  if (!isUrl || !URL.canParse(String(given))) return false;
  const { protocol, username, password, hash } = new URL(String(given));
  return !(username || password || hash) && (protocol === "https:" || protocol === "http:");
}

/** The schema of an endpoint's URL. */
export const endpointSchema = z.custom<string | URL>(isEndpoint);
export const ENDPOINT = "an absolute https URL without user information or fragment";

/**
 * Checks that the endpoints, by the names of their options, use TLS (RFC 6749 §3.2), except on this machine (RFC 8252
 * §8.3).
 *
 * @throws TypeError
 */
export function checkTransport(
  endpoints: Readonly<Record<string, string | URL | undefined>>,
  allowInsecure: boolean | undefined,
): void {
  for (const [name, given] of Object.entries(endpoints)) {
    const url = given === undefined ? undefined : new URL(given);
    if (url?.protocol !== "http:" || isLoopback(url.hostname) || allowInsecure) continue;
    throw new TypeError(
      `${name}: expected https, because ${url.host} is not this machine. If only a private network reaches it, pass allowInsecure: true: anyone on the way can then read the tokens.`,
    );
  }
}

/** Returns the URL for use in messages, without its query, which may contain keys. */
export const withoutQuery = ({ origin, pathname }: URL): string => `${origin}${pathname}`;

/** The names of values that are secret. */
export const SECRET_NAME = /secret|password|assertion|credential|signature|key/i;

const SECRET_PARAMETER = /^(?:code|sig|auth)$|token/i;

/** Returns the query of a URL, which errors of `fetch` may quote, and the keys that it contains. */
export function secretsInQuery({ search, searchParams }: URL): string[] {
  const keys = [...searchParams].filter(([name]) => SECRET_NAME.test(name) || SECRET_PARAMETER.test(name));
  return [search.slice(1), ...keys.map(([, value]) => value)];
}
