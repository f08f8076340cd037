import type { TokenResponse, TokenSetInput } from "@unexpired/core";
import { accessTokenOf, readToken, refreshTokenOf, type Token } from "./tokens.ts";

/** How the authorization server behaves in a world. */
export interface ServerRules {
  /** For how long the refresh token before the current one is still answered, with the current one. */
  readonly graceSeconds: number;
  /** Whether a replay ends the session for everybody. */
  readonly revokesOnReuse: boolean;
  /** Milliseconds that an access token lives. */
  readonly lifetime: number;
}

interface Family {
  readonly account: string;
  /** Number of the refresh token that is good. */
  current: number;
  rotatedAt: number;
  accessNumber: number;
  isRevoked: boolean;
}

/** What a request at the token endpoint came to. */
export type Answer =
  | {
      readonly kind: "tokens";
      readonly response: TokenResponse;
      readonly token: Token;
      readonly refreshToken: string;
      readonly isRotated: boolean;
    }
  | { readonly kind: "invalid_grant" };

/** An authorization server with rotation, reuse detection and an optional grace period. Knows no faults. */
export class AuthorizationServer {
  readonly rules: ServerRules;
  readonly #families: Family[] = [];
  /** When each access token was issued, in virtual milliseconds. */
  readonly #issued = new Map<string, number>();
  readonly #now: () => number;

  constructor(rules: ServerRules, now: () => number) {
    this.rules = rules;
    this.#now = now;
  }

  /** A user signs in: a new session. `wallNow`: by the clock of the program that keeps the tokens. */
  signIn(account: string, wallNow: number): TokenSetInput {
    this.#families.push({ account, current: 1, rotatedAt: 0, accessNumber: 0, isRevoked: false });
    const family = this.#families.length - 1;
    const { access_token, refresh_token } = this.#issue(family);
    return { accessToken: access_token, refreshToken: refresh_token, expiresAt: wallNow + this.rules.lifetime };
  }

  /** The refresh grant. `omitsRefreshToken`: answers without one, and keeps the old one good. */
  refresh(refreshToken: string, { omitsRefreshToken = false } = {}): Answer {
    const { family: id, number } = readToken(refreshToken);
    const family = this.#families[id];
    if (!family || family.isRevoked) return { kind: "invalid_grant" };
    const isCurrent = number === family.current;
    const inGrace = number === family.current - 1 && this.#now() - family.rotatedAt < this.rules.graceSeconds * 1000;
    if (!isCurrent && !inGrace) {
      family.isRevoked = this.rules.revokesOnReuse;
      return { kind: "invalid_grant" };
    }
    const omits = omitsRefreshToken && isCurrent;
    const isRotated = isCurrent && !omits;
    if (isRotated) {
      family.current++;
      family.rotatedAt = this.#now();
    }
    const { refresh_token, ...rest } = this.#issue(id);
    const response = omits ? rest : { ...rest, refresh_token };
    const token = { account: family.account, family: id, number: family.current };
    return { kind: "tokens", response, isRotated, token, refreshToken: refresh_token };
  }

  revoke(refreshToken: string): void {
    const family = this.#families[readToken(refreshToken).family];
    if (family) family.isRevoked = true;
  }

  /** Whether the API takes this access token now. */
  accepts(accessToken: string): boolean {
    const issuedAt = this.#issued.get(accessToken);
    return (
      issuedAt !== undefined &&
      this.#now() < issuedAt + this.rules.lifetime &&
      this.#families[readToken(accessToken).family]?.isRevoked === false
    );
  }

  /** The number of the refresh token that is good; `undefined` where the session is over. */
  currentOf(id: number): number | undefined {
    const family = this.#families[id];
    return family && !family.isRevoked ? family.current : undefined;
  }

  #issue(id: number) {
    const family = this.#families[id];
    if (!family) throw new Error("no such session");
    const { account, current } = family;
    const accessToken = accessTokenOf({ account, family: id, number: ++family.accessNumber });
    this.#issued.set(accessToken, this.#now());
    return {
      access_token: accessToken,
      refresh_token: refreshTokenOf({ account, family: id, number: current }),
      token_type: "Bearer",
      expires_in: this.rules.lifetime / 1000,
    };
  }
}
