import type { Clock, TokenSet } from "../types.ts";
import type { Moment } from "../util/clock.ts";
import { hideResult } from "../util/inspect.ts";
import { NEVER } from "./session.ts";

interface Results {
  readonly tokens: TokenSet;
  readonly tokenSet: Promise<TokenSet>;
  readonly accessToken: Promise<string>;
}

/** The results of nearly every call: created once per token, and returned until one of the clocks reaches a moment. */
export class ResultCache {
  #results: Results | undefined;
  #until = NEVER;

  get(clock: Clock): Results | undefined {
    return clock.now() < this.#until.now && clock.monotonic() < this.#until.monotonic ? this.#results : undefined;
  }

  set(tokens: TokenSet | undefined, until: Moment): void {
    this.#until = until;
    if (!tokens || tokens === this.#results?.tokens) return;
    const accessToken = hideResult(Promise.resolve(tokens.accessToken));
    this.#results = { tokens, tokenSet: Promise.resolve(tokens), accessToken };
  }

  clear(): void {
    this.#until = NEVER;
  }
}
