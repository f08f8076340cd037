import { type RefreshFunction, TokenEndpointError } from "@unexpired/core";

/** The refresh grant in its plainest form, for tests against an issuer of this package. */
export const refreshAt =
  (tokenEndpoint: string): RefreshFunction =>
  async ({ refreshToken = "" }, { signal }) => {
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken });
    const response = await fetch(tokenEndpoint, { method: "POST", body, signal });
    const answer = await response.json();
    if (response.ok) return answer;
    throw new TokenEndpointError({ error: answer.error, status: response.status, sent: true });
  };
