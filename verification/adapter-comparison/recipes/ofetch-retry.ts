import type { FetchOptions } from "ofetch";
import type { StoredToken } from "./stored-token.ts";

/**
 * The recipe that ofetch's issues suggest: 401 among the statuses that are retried, and a hook that refreshes the token
 * first.
 */
export const withRetry = ({ read, renew }: StoredToken): FetchOptions => ({
  retry: 1,
  retryStatusCodes: [401],
  async onRequest({ options }) {
    options.headers.set("authorization", `Bearer ${await read()}`);
  },
  async onResponseError({ response }) {
    if (response.status === 401) await renew();
  },
});
