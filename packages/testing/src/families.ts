import type { TokenResponse, TokenSetInput } from "@unexpired/core";
import type { IssuerOptions } from "./issuer.ts";

/** What became of a refresh token: exchanged, answered within the grace period, presented twice, or never issued. */
export type Verdict = "rotated" | "replayed" | "reused" | "unknown";

interface Family {
  readonly number: number;
  isRevoked: boolean;
  /** The number of its newest tokens. */
  newest: number;
  /** When a refresh token was exchanged, and for which number. */
  readonly exchanged: Map<number, { readonly at: number; readonly became: number }>;
}

/** The sessions of an issuer. */
export class TokenFamilies {
  revoked = 0;
  readonly #families: Family[] = [];
  readonly #options: IssuerOptions;
  readonly #expiry = new Map<string, number>();

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  start(): TokenSetInput {
    const family: Family = { number: this.#families.length + 1, isRevoked: false, newest: 1, exchanged: new Map() };
    this.#families.push(family);
    const { access_token: accessToken, refresh_token: refreshToken } = this.#issue(family, 1);
    return { accessToken, refreshToken, expiresAt: this.#expiry.get(accessToken) };
  }

  accepts(accessToken: string): boolean {
    const family = this.#families.find(({ number }) => accessToken.startsWith(this.#name("access", number, "")));
    return family !== undefined && !family.isRevoked && this.#now() < (this.#expiry.get(accessToken) ?? 0);
  }

  /** A refresh token comes in. */
  present(refreshToken: string): { readonly verdict: Verdict; readonly tokens?: TokenResponse } {
    const found = this.#find(refreshToken);
    if (!found || found.family.isRevoked) return { verdict: "unknown" };
    const { family, number } = found;
    const before = family.exchanged.get(number);
    if (before === undefined) return { verdict: "rotated", tokens: this.#rotate(family, number) };
    const { graceSeconds = 0, replayReturns = "new" } = this.#options;
    if (this.#now() < before.at + graceSeconds * 1000) {
      const tokens = replayReturns === "same" ? this.#issue(family, before.became) : this.#rotate(family, number);
      return { verdict: "replayed", tokens };
    }
    family.isRevoked = true;
    this.revoked++;
    return { verdict: "reused" };
  }

  #rotate(family: Family, number: number): TokenResponse {
    family.newest++;
    const { rotation = true } = this.#options;
    if (rotation && !family.exchanged.has(number))
      family.exchanged.set(number, { at: this.#now(), became: family.newest });
    const { refresh_token, ...rest } = this.#issue(family, family.newest);
    return rotation ? { ...rest, refresh_token } : rest;
  }

  #issue(family: Family, number: number): TokenResponse & { readonly refresh_token: string } {
    const { expiresIn = 3600 } = this.#options;
    const access_token = this.#name("access", family.number, number);
    this.#expiry.set(access_token, this.#now() + expiresIn * 1000);
    const refresh_token = this.#name("refresh", family.number, number);
    return { access_token, refresh_token, token_type: "Bearer", expires_in: expiresIn };
  }

  #find(refreshToken: string) {
    for (const family of this.#families) {
      for (let number = 1; number <= family.newest; number++) {
        if (refreshToken === this.#name("refresh", family.number, number)) return { family, number };
      }
    }
    return undefined;
  }

  #name(kind: "access" | "refresh", family: number, number: number | ""): string {
    return `${this.#options.prefix ?? "test-"}${kind}-${family}.${number}`;
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now();
  }
}
