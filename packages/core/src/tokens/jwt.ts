import { toTime } from "../util/clock.ts";

/** A JWT's claims, unverified: the token is ours, and the resource server does the verifying. */
export function claimsOf(token: string): Record<string, unknown> | undefined {
  const [, payload, signature] = token.split(".");
  if (!payload || signature === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // an opaque token that happens to hold dots
  }
}

/** A JWT's `exp`, in epoch milliseconds by its issuer's clock. */
export const expiryOf = (accessToken: string): number | undefined => {
  const exp = claimsOf(accessToken)?.exp;
  return typeof exp === "number" && exp > 0 ? toTime(exp * 1000) : undefined;
};

/**
 * A token that just arrived has not expired: where its `exp` says so, the clocks disagree, and its lifetime counts from
 * now. Without `iat` nothing is known.
 */
export function expiryOnArrival(accessToken: string, sentAt: number): number | undefined {
  const expiry = expiryOf(accessToken);
  if (expiry === undefined || expiry > sentAt) return expiry;
  const iat = claimsOf(accessToken)?.iat;
  const lifetime = typeof iat === "number" ? expiry - iat * 1000 : 0;
  return lifetime > 0 ? toTime(sentAt + lifetime) : undefined;
}
