import type { FetchOptions } from "ofetch";
import type { StoredToken } from "./stored-token.ts";

/** What its issues lead to: 401 among the statuses that ofetch tries again, and a hook that renews the token before. */
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
