import type { TokenSource } from "../types.ts";
import { describeType } from "./describe-type.ts";

/** @throws TypeError that names the argument `name`, if `given` is no token source */
export function assertTokenSource(given: unknown, name: string): asserts given is TokenSource {
  const { getTokenSet, replaceRejected } = Object(given) as Partial<TokenSource>;
  if (typeof getTokenSet === "function" && typeof replaceRejected === "function") return;
  throw new TypeError(`${name}: expected a token manager or another TokenSource, not ${describeType(given)}.`);
}

/** Returns whether a response with this status rejects a token of the source. */
export const isRejectionFor = (source: TokenSource, status: number): boolean =>
  typeof source.isRejection === "function" ? source.isRejection(status) === true : status === 401;
