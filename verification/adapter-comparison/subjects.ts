import type { TokenManager, TokenSource } from "@unexpired/core";
import type { AdapterHarness } from "@unexpired/testing";
import {
  axiosHarness,
  axiosWith,
  fetchHarness,
  gotHarness,
  gotWith,
  ofetchHarness,
  ofetchWith,
} from "@unexpired-internal/test-support/adapter-harnesses";
import type { FetchOptions } from "ofetch";
import { useAuthRefresh } from "./recipes/axios-auth-refresh.ts";
import { useQueue } from "./recipes/axios-queue.ts";
import { extendAsDocumented } from "./recipes/got-sample.ts";
import { withRetry } from "./recipes/ofetch-retry.ts";
import { type StoredToken, storedToken } from "./recipes/stored-token.ts";

/** A client with an adapter or with a recipe that replaces one. */
export interface Subject {
  readonly name: string;
  /** The heading of its column. */
  readonly short: string;
  readonly harness: AdapterHarness;
}

export const ourAdapters: readonly Subject[] = [
  { name: "`createFetch`", short: "fetch", harness: fetchHarness },
  { name: "`@unexpired/adapter-axios`", short: "axios", harness: axiosHarness },
  { name: "`@unexpired/adapter-ofetch`", short: "ofetch", harness: ofetchHarness },
  { name: "`@unexpired/adapter-got`", short: "got", harness: gotHarness },
];

/** Adapts the kit's tokens, which always are a complete token manager. */
const stored = (tokens: TokenSource): StoredToken => storedToken(tokens as TokenManager);

/** Marks the features that no recipe has. */
const asRecipe = (harness: AdapterHarness): AdapterHarness => ({
  ...harness,
  unsupported: {
    ...harness.unsupported,
    detach: "the recipe cannot be detached",
    isUnauthorized: "the recipe has a fixed rule",
    perRequest: "the recipe has no options for a single request",
  },
});

const nothing = () => {};

/** Combines the caller's hooks with the recipe's, which run second. */
const withRecipe = (options: FetchOptions, recipe: FetchOptions): FetchOptions => ({
  ...options,
  ...recipe,
  onRequest: [options.onRequest ?? [], recipe.onRequest ?? []].flat(),
  onResponseError: [options.onResponseError ?? [], recipe.onResponseError ?? []].flat(),
});

export const recipes: readonly Subject[] = [
  {
    name: "axios, the queue",
    short: "axios, the queue",
    harness: axiosWith((client, tokens) => {
      useQueue(client, stored(tokens));
      return nothing;
    }),
  },
  {
    name: "axios-auth-refresh",
    short: "axios-auth-refresh",
    harness: axiosWith((client, tokens) => {
      useAuthRefresh(client, stored(tokens));
      return nothing;
    }),
  },
  {
    name: "ofetch, `retryStatusCodes`",
    short: "ofetch, retryStatusCodes",
    harness: ofetchWith((options, tokens) => withRecipe(options, withRetry(stored(tokens)))),
  },
  {
    name: "got, its sample",
    short: "got, its sample",
    harness: gotWith((client, tokens) => extendAsDocumented(client, stored(tokens))),
  },
].map((subject) => ({ ...subject, harness: asRecipe(subject.harness) }));
