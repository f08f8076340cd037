/** ofetch's types, derived from its values, because ofetch 1.3 does not export the types to Node programs. */
import type { ofetch } from "ofetch";

/** ofetch's `FetchOptions`. */
export type FetchOptions = Parameters<typeof ofetch.create>[0];

/** ofetch's `FetchResponse<unknown>`. */
export type FetchResponse = Awaited<ReturnType<typeof ofetch.raw<unknown>>>;

/** ofetch's `FetchContext`. */
export type FetchContext = Parameters<Extract<FetchOptions["onRequest"], (context: never) => unknown>>[0];
