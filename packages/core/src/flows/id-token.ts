import * as oauth from "oauth4webapi";
import { claimsOf } from "../tokens/jwt.ts";
import type { TokenResponse } from "../types.ts";
import { systemClock } from "../util/clock.ts";

interface Expected {
  readonly issuer: string;
  readonly client: oauth.Client;
  /** Without one, there may be no ID token, and its nonce is not checked: some servers send one of their own. */
  readonly nonce: string | undefined;
  /** The time by the server's own clock in epoch milliseconds; `NaN` if unknown. */
  readonly serverTime: number;
}

/**
 * Validates the claims of an ID token that came straight from the token endpoint, so that the connection vouches for it
 * ({@link https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation OpenID Connect Core §3.1.3.7}). Compares
 * times with the server's own clock, because the clock of this machine may be wrong.
 *
 * @throws an error of `oauth4webapi`
 */
export async function checkIdToken({ access_token, id_token }: TokenResponse, expected: Expected): Promise<void> {
  const { issuer, nonce, serverTime, client } = expected;
  if (!id_token && nonce === undefined) return; // some servers send null or "" for none
  const skew = Math.round((serverTime - systemClock.now()) / 1000);
  const checked: oauth.Client = {
    ...client,
    ...(typeof id_token === "string" && algorithmOf(id_token)),
    [oauth.clockSkew]: Number.isFinite(skew) ? skew : 0,
  };
  // only what it validates: servers deviate in the other members, and keep them
  const response = Response.json({ access_token, token_type: "bearer", id_token });
  if (nonce === undefined) await oauth.processGenericTokenEndpointResponse({ issuer }, checked, response);
  else await oauth.processAuthorizationCodeResponse({ issuer }, checked, response, { expectedNonce: nonce });
}

/** Accepts the algorithm that the token names: the lists of servers are incomplete, and its signature is not needed. */
function algorithmOf(idToken: string): Partial<oauth.Client> {
  const alg = claimsOf(`.${idToken.split(".", 1)[0]}.`)?.alg; // the header is encoded like the claims
  return typeof alg === "string" && alg !== "none" ? { id_token_signed_response_alg: alg } : {};
}
