import { ConfigurationError } from "../errors.ts";
import type { TokenSet } from "../types.ts";
import { isLoopback } from "../util/loopback.ts";

const ORIGIN = Symbol.for("unexpired.token-origin");

/**
 * Returns a copy of the token set that is marked with the origin of the token endpoint that issued it. Only `tokenOriginOf`
 * reads the mark, also of another copy of this package: neither a copy of the token set nor its JSON carries it.
 */
export const withTokenOrigin = (tokens: TokenSet, origin: string): TokenSet =>
  Object.freeze(
    Object.defineProperties(
      {},
      { ...Object.getOwnPropertyDescriptors(tokens), [ORIGIN]: { value: origin } },
    ) as TokenSet,
  );

/** Returns the origin of the token endpoint that issued the token set, if a sign-in flow of this library obtained it. */
export function tokenOriginOf(tokens: object): string | undefined {
  const origin: unknown = Reflect.get(tokens, ORIGIN);
  return typeof origin === "string" ? origin : undefined;
}

/**
 * Returns the error for tokens that would be sent to another origin than the one that issued them. On this machine, the port is
 * ignored: it may differ each time that a server starts.
 */
export function originError(issued: string | undefined, used: string | undefined): ConfigurationError | undefined {
  if (issued === undefined || used === undefined || comparable(issued) === comparable(used)) return undefined;
  return new ConfigurationError(
    `The session comes from ${issued}, but would be refreshed at ${used}. Nothing was sent. Pass the token endpoint of the server that the user signed in with, or have the user sign in again.`,
  );
}

const comparable = (origin: string): string => {
  if (!URL.canParse(origin)) return origin;
  const { protocol, hostname } = new URL(origin);
  return isLoopback(hostname) ? `${protocol}//${hostname}` : origin;
};
