import { canary } from "@unexpired-internal/test-support/canary";
import { TokenEndpointError } from "../../src/errors.ts";
import type { RefreshContext, TokenResponse, TokenSet } from "../../src/types.ts";

type Response = Partial<TokenResponse> | Error | Promise<Partial<TokenResponse>>;

/**
 * A refresh function over an authorization server in memory: single-use refresh tokens, and a replay ends the family.
 * `next` scripts the response of the next exchange, after the server has rotated (`before: true`: without rotating).
 */
export class Issuer {
  readonly presented: string[] = [];
  readonly revoked: TokenSet[] = [];
  generation = 1;
  isRevoked = false;
  lifetime: number | undefined = 3600;
  #script: { respond: (rotated: TokenResponse) => Response; before: boolean }[] = [];

  next(respond: (rotated: TokenResponse) => Response, { before = false } = {}): this {
    this.#script.push({ respond, before });
    return this;
  }

  tokens(): { accessToken: string; refreshToken: string } {
    return { accessToken: canary("access", this.generation), refreshToken: canary("refresh", this.generation) };
  }

  refresh = Object.assign(
    async (current: TokenSet, _context: RefreshContext): Promise<TokenResponse> => {
      this.presented.push(current.refreshToken ?? "none");
      const step = this.#script.shift();
      const rotated = step?.before ? this.#response() : this.#rotate(current.refreshToken);
      const response = step ? await step.respond(rotated) : rotated;
      if (response instanceof Error) throw response;
      return response as TokenResponse;
    },
    {
      revoke: async (tokens: TokenSet): Promise<void> => {
        this.revoked.push(tokens);
      },
    },
  );

  #rotate(refreshToken: string | undefined): TokenResponse {
    if (this.isRevoked || refreshToken !== canary("refresh", this.generation)) {
      this.isRevoked = true;
      throw new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true });
    }
    this.generation++;
    return this.#response();
  }

  #response(): TokenResponse {
    const { accessToken, refreshToken } = this.tokens();
    return { access_token: accessToken, refresh_token: refreshToken, token_type: "Bearer", expires_in: this.lifetime };
  }
}
