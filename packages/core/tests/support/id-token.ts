import { canary } from "@unexpired-internal/test-support/canary";

/** Returns an ID token of a client "app", whose signature is not one. */
export function idTokenOf(claims: Readonly<Record<string, unknown>>, header: object = { alg: "ES256" }): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [header, { aud: "app", sub: "ada", iat: now, exp: now + 60, ...claims }];
  const encoded = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return `${encoded.join(".")}.${canary("id", "signature")}`;
}
