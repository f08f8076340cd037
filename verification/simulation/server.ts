import type { TokenResponse, TokenSet, TokenSetInput } from "@unexpired/core";
import { accessTokenOf, idTokenOf, readToken, refreshTokenOf, type Token } from "./tokens.ts";

/** How the authorization server behaves in a world. */
export interface ServerRules {
  /** How long the previous refresh token is still accepted, in seconds; the response then has the current one. */
  readonly graceSeconds: number;
  /** Whether a replay revokes the session. */
  readonly revokesOnReuse: boolean;
  /** The lifetime of an access token in milliseconds. */
  readonly lifetime: number;
}

interface Family {
  readonly account: string;
  /** The number of the valid refresh token. */
  current: number;
  rotatedAt: number;
  accessNumber: number;
  isRevoked: boolean;
}

/** The result of a refresh request at the token endpoint. */
export type RefreshOutcome =
  | {
      readonly kind: "tokens";
      readonly response: TokenResponse;
      readonly token: Token;
      readonly refreshToken: string;
      readonly isRotated: boolean;
    }
  | { readonly kind: "invalid_grant" };

/** An authorization server with rotation, reuse detection and an optional grace period. It never fails by itself. */
export class AuthorizationServer {
  readonly rules: ServerRules;
  readonly #families: Family[] = [];
  /** The virtual time at which each access token was issued, in milliseconds. */
  readonly #issued = new Map<string, number>();
  readonly #now: () => number;

  constructor(rules: ServerRules, now: () => number) {
    this.rules = rules;
    this.#now = now;
  }

  /** Starts a new session. `wallTime` is the time by the clock of the program that signs in, in epoch milliseconds. */
  signIn(account: string, wallTime: number): TokenSetInput & Pick<TokenSet, "accessToken"> {
    this.#families.push({ account, current: 1, rotatedAt: 0, accessNumber: 0, isRevoked: false });
    const family = this.#families.length - 1;
    const { access_token, refresh_token, id_token } = this.#issue(family);
    const expiresAt = wallTime + this.rules.lifetime;
    return { accessToken: access_token, refreshToken: refresh_token, idToken: id_token, expiresAt };
  }

  /** The refresh grant. `omitsRefreshToken`: the response has no refresh token, and the current one stays valid. */
  refresh(refreshToken: string, { omitsRefreshToken = false } = {}): RefreshOutcome {
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

  /** Whether the API accepts this access token now, and will for that many milliseconds. */
  accepts(accessToken: string, span = 0): boolean {
    const issuedAt = this.#issued.get(accessToken);
    return (
      issuedAt !== undefined &&
      this.#now() + span < issuedAt + this.rules.lifetime &&
      this.#families[readToken(accessToken).family]?.isRevoked === false
    );
  }

  /** The number of the valid refresh token; `undefined` if the session was revoked. */
  currentOf(id: number): number | undefined {
    const family = this.#families[id];
    return family && !family.isRevoked ? family.current : undefined;
  }

  #issue(id: number) {
    const family = this.#families[id];
    if (!family) throw new Error("There is no such session.");
    const { account, current } = family;
    const accessToken = accessTokenOf({ account, family: id, number: ++family.accessNumber });
    this.#issued.set(accessToken, this.#now());
    return {
      access_token: accessToken,
      refresh_token: refreshTokenOf({ account, family: id, number: current }),
      id_token: idTokenOf(account),
      token_type: "Bearer",
      expires_in: this.rules.lifetime / 1000,
    };
  }
}
