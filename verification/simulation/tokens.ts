import { canary } from "@unexpired-internal/test-support/canary";
import { digestOf } from "../../packages/core/src/record/record.ts";

/** The content of a simulated token: `canary-refresh-<account>.<family>.<number>`. */
export interface Token {
  readonly account: string;
  readonly family: number;
  /** Counts the rotations of its family. */
  readonly number: number;
}

export const refreshTokenOf = ({ account, family, number }: Token): string =>
  canary("refresh", `${account}.${family}.${number}`);

export const accessTokenOf = ({ account, family, number }: Token): string =>
  canary("access", `${account}.${family}.${number}`);

/** The ID token of an account. */
export const idTokenOf = (account: string): string => `e30.${btoa(JSON.stringify({ iss: "issuer", sub: account }))}.x`;

/** Reads a token of either kind. */
export function readToken(text: string): Token {
  const [account = "", family, number] = text.slice(text.lastIndexOf("-") + 1).split(".");
  return { account, family: Number(family), number: Number(number) };
}

/** The refresh tokens of a world by digest, so that invariants can tell which token a record is about. */
export class TokenBook {
  readonly #byDigest = new Map<string, Token>();
  readonly #digests = new Map<string, string>();

  digest(refreshToken: string): string {
    let digest = this.#digests.get(refreshToken);
    if (digest === undefined) {
      digest = digestOf(refreshToken);
      this.#digests.set(refreshToken, digest);
      this.#byDigest.set(digest, readToken(refreshToken));
    }
    return digest;
  }

  find(digest: string | undefined): Token | undefined {
    return digest === undefined ? undefined : this.#byDigest.get(digest);
  }
}

/** The short name of a refresh token: `A1R3` is the third one of account A's session 1. */
export const shortRefresh = (token: Token): string => `${token.account}${token.family}R${token.number}`;
export const shortAccess = (token: Token): string => `${token.account}${token.family}a${token.number}`;
