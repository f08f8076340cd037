import { randomBytes } from "node:crypto";
import { canary } from "@unexpired-internal/test-support/canary";

/** The settings of an {@link Authorization}. */
export interface AuthorizationOptions {
  /** The lifetime of an access token, in seconds. */
  readonly lifetime: number;
  /** How long a spent refresh token may be presented again, in seconds. With 0, each replay revokes the grant. */
  readonly grace: number;
}

/** The tokens of a grant, as a sign-in brings them. */
export interface IssuedTokens {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

/** The exchanges of an authorization server. */
export interface AuthorizationReport {
  /** The exchanges of each user: once for each refresh token that was accepted for the first time. */
  readonly exchanges: Readonly<Record<string, number>>;
  /** Refresh tokens that were presented again although their successors had arrived, or may have. */
  readonly replays: number;
  /** Refresh tokens that were presented again because the process that got the response was killed before it saved it. */
  readonly repeated: number;
  /** Grants that a replay has revoked. */
  readonly revoked: number;
}

interface Grant {
  readonly user: string;
  exchanges: number;
  isRevoked: boolean;
}

interface AccessToken {
  readonly grant: Grant;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  isUsed: boolean;
}

interface RefreshToken {
  readonly grant: Grant;
  spent?: { readonly at: number; readonly client: string; readonly successor: AccessToken };
}

/** The grants of an authorization server whose refresh tokens are used once: a replay revokes the grant. In memory. */
export class Authorization {
  readonly #options: AuthorizationOptions;
  readonly #now: () => number;
  readonly #grants: Grant[] = [];
  readonly #accessTokens = new Map<string, AccessToken>();
  readonly #refreshTokens = new Map<string, RefreshToken>();
  readonly #killed = new Set<string>();
  #replays = 0;
  #repeated = 0;
  #revoked = 0;

  constructor(options: AuthorizationOptions, now = Date.now) {
    this.#options = options;
    this.#now = now;
  }

  /** Signs a user in. The first access token may live shorter than the later ones, in seconds. */
  start(user: string, lifetime = this.#options.lifetime): IssuedTokens {
    const grant = { user, exchanges: 0, isRevoked: false };
    this.#grants.push(grant);
    return this.#issue(grant, lifetime).tokens;
  }

  /** Notes that a client was killed: the responses that it got last may not have been saved. */
  kill(client: string): void {
    this.#killed.add(client);
  }

  /** Returns the user of a valid access token. */
  userOf(accessToken: string): string | undefined {
    const found = this.#accessTokens.get(accessToken);
    if (!found || found.grant.isRevoked || this.#now() >= found.expiresAt) return undefined;
    found.isUsed = true;
    return found.grant.user;
  }

  /** Exchanges a refresh token. Returns `undefined` if it is rejected. */
  exchange(refreshToken: string, client: string): IssuedTokens | undefined {
    const presented = this.#refreshTokens.get(refreshToken);
    if (!presented || presented.grant.isRevoked) return undefined;
    const { grant, spent } = presented;
    if (spent && !this.#acceptsAgain(grant, spent)) return undefined;
    if (!spent) grant.exchanges++;
    const { tokens, accessToken } = this.#issue(grant, this.#options.lifetime);
    presented.spent = { at: this.#now(), client, successor: accessToken };
    return tokens;
  }

  #acceptsAgain(grant: Grant, { at, client, successor }: NonNullable<RefreshToken["spent"]>): boolean {
    if (this.#killed.has(client) && !successor.isUsed) this.#repeated++;
    else this.#replays++;
    if (this.#now() < at + this.#options.grace * 1_000) return true;
    grant.isRevoked = true;
    this.#revoked++;
    return false;
  }

  #issue(grant: Grant, lifetime: number): { readonly tokens: IssuedTokens; readonly accessToken: AccessToken } {
    const accessToken: AccessToken = { grant, expiresAt: this.#now() + lifetime * 1_000, isUsed: false };
    const tokens = {
      accessToken: canary("access", randomBytes(48).toString("base64url")),
      refreshToken: canary("refresh", randomBytes(48).toString("base64url")),
      expiresAt: accessToken.expiresAt,
    };
    this.#accessTokens.set(tokens.accessToken, accessToken);
    this.#refreshTokens.set(tokens.refreshToken, { grant });
    return { tokens, accessToken };
  }

  report(): AuthorizationReport {
    const exchanges = Object.fromEntries(this.#grants.map((grant) => [grant.user, grant.exchanges]));
    return { exchanges, replays: this.#replays, repeated: this.#repeated, revoked: this.#revoked };
  }
}
