import { canary } from "@unexpired-internal/test-support/canary";
import { drop, respondWith, startServer } from "./server.ts";

/**
 * Starts a token endpoint like that of Cloudflare's `workers-oauth-provider`: it rotates, and accepts the previous
 * refresh token until its replacement is first used. Any other one is refused, and the session goes on.
 */
export async function startPreviousTokenServer() {
  const presented: string[] = [];
  let issued = 1;
  let current = canary("refresh", issued);
  let previous: string | undefined;
  let losses = 0;
  const server = await startServer((response, received) => {
    const token = new URLSearchParams(received.body).get("refresh_token") ?? "";
    presented.push(token);
    if (token !== current && token !== previous) {
      const refusal = { error: "invalid_grant", error_description: "Invalid refresh token" };
      return respondWith(400, refusal)(response, received);
    }
    previous = token;
    current = canary("refresh", ++issued);
    if (losses-- > 0) return drop(response, received);
    const tokens = { access_token: canary("access", issued), token_type: "bearer", expires_in: 3600 };
    respondWith(200, { ...tokens, refresh_token: current })(response, received);
  });
  return {
    tokenEndpoint: `${server.origin}/token`,
    /** The refresh tokens of all requests. */
    presented,
    /** Closes the connection of the next requests after it has rotated. */
    loseNext(responses: number): void {
      losses = responses;
    },
    [Symbol.asyncDispose]: server.close,
  };
}
