import type { TokenSet } from "../types.ts";

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
