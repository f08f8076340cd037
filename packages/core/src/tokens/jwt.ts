import { toTime } from "../util/clock.ts";

/** Returns the claims of a JWT without verifying it. Verification is the resource server's task. */
export function claimsOf(token: string): Record<string, unknown> | undefined {
  const [, payload, signature] = token.split(".");
  if (!payload || signature === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // an opaque token that happens to contain dots
  }
}

/** Returns whether two ID tokens name different issuers or subjects. One that is missing, or no JWT, names none. */
export function isOfOtherSubject(idToken: string | undefined, other: string | undefined): boolean {
  const [a, b] = [claimsOf(idToken ?? ""), claimsOf(other ?? "")];
  const differs = (claim: "iss" | "sub") => {
    const [mine, theirs] = [a?.[claim], b?.[claim]].map(withoutScheme);
    return mine !== undefined && theirs !== undefined && mine !== theirs;
  };
  return differs("iss") || differs("sub");
}

/** Google names its issuer with and without the scheme. */
const withoutScheme = (claim: unknown): string | undefined =>
  typeof claim === "string" ? claim.replace(/^https:\/\//, "") : undefined;

/** Returns the `exp` of a JWT in epoch milliseconds, by its issuer's clock. */
export const expiryOf = (accessToken: string): number | undefined => {
  const exp = claimsOf(accessToken)?.exp;
  return typeof exp === "number" && exp > 0 ? toTime(exp * 1000) : undefined;
};

/** Returns the lifetime of a JWT in milliseconds, from its `iat` to its `exp`; `undefined` if it does not tell both. */
export function lifetimeOf(accessToken: string): number | undefined {
  const { exp, iat } = claimsOf(accessToken) ?? {};
  const lifetime = typeof exp === "number" && typeof iat === "number" ? (exp - iat) * 1000 : 0;
  return lifetime > 0 ? lifetime : undefined;
}
