import type { TokenResponse, TokenSet, TokenSetInput } from "@unexpired/core";
import type { IssuerOptions } from "./issuer.ts";

/**
 * The outcome for a presented refresh token: exchanged, replayed within the grace period, reused (which revokes its
 * session), already revoked with its session, or never issued.
 */
export type Verdict = "exchanged" | "replayed" | "reused" | "revoked" | "unknown";

interface Family {
  readonly number: number;
  isRevoked: boolean;
  /** The number of its newest tokens. */
  newest: number;
}

interface RefreshToken {
  readonly family: Family;
  /** The first exchange: its time in epoch milliseconds and the tokens it returned. */
  exchanged?: { readonly at: number; readonly tokens: TokenResponse };
}

/** The sessions of an issuer, each with all tokens issued for it. */
export class TokenFamilies {
  revoked = 0;
  readonly #options: IssuerOptions;
  readonly #accessTokens = new Map<string, { readonly family: Family; readonly expiresAt: number }>();
  readonly #refreshTokens = new Map<string, RefreshToken>();
  #families = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  start(): TokenSetInput & Pick<TokenSet, "accessToken"> {
    const family: Family = { number: ++this.#families, isRevoked: false, newest: 0 };
    const { access_token: accessToken, refresh_token: refreshToken } = this.#issue(family);
    return { accessToken, refreshToken, expiresAt: this.#accessTokens.get(accessToken)?.expiresAt };
  }

  accepts(accessToken: string): boolean {
    const found = this.#accessTokens.get(accessToken);
    return found !== undefined && !found.family.isRevoked && this.#now() < found.expiresAt;
  }

  /** Processes a refresh token that a client presents. */
  present(refreshToken: string): { readonly verdict: Verdict; readonly tokens?: TokenResponse } {
    const found = this.#refreshTokens.get(refreshToken);
    if (!found) return { verdict: "unknown" };
    if (found.family.isRevoked) return { verdict: "revoked" };
    if (!found.exchanged) return { verdict: "exchanged", tokens: this.#exchange(found) };
    const { graceSeconds = 0, replayReturns = "new" } = this.#options;
    if (this.#now() < found.exchanged.at + graceSeconds * 1000) {
      const isSame = replayReturns === "same";
      return {
        verdict: "replayed",
        tokens: isSame ? this.#withRemainingLifetime(found.exchanged.tokens) : this.#issue(found.family),
      };
    }
    found.family.isRevoked = true;
    this.revoked++;
    return { verdict: "reused" };
  }

  #exchange(token: RefreshToken): TokenResponse {
    const tokens = this.#issue(token.family);
    if (tokens.refresh_token !== undefined) token.exchanged = { at: this.#now(), tokens };
    return tokens;
  }

  /** Repeats a token response with the lifetime that the access token has left. */
  #withRemainingLifetime(tokens: TokenResponse): TokenResponse {
    const left = (this.#accessTokens.get(tokens.access_token)?.expiresAt ?? 0) - this.#now();
    return { ...tokens, expires_in: Math.max(0, Math.floor(left / 1000)) };
  }

  #issue(family: Family): TokenResponse {
    const { prefix = "test-", expiresIn = 3600, rotation = true } = this.#options;
    const number = `${family.number}.${++family.newest}`;
    const access_token = `${prefix}access-${number}`;
    this.#accessTokens.set(access_token, { family, expiresAt: this.#now() + expiresIn * 1000 });
    const tokens = { access_token, token_type: "Bearer", expires_in: expiresIn };
    if (!rotation && family.newest > 1) return tokens;
    const refresh_token = `${prefix}refresh-${number}`;
    this.#refreshTokens.set(refresh_token, { family });
    return { ...tokens, refresh_token };
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}
