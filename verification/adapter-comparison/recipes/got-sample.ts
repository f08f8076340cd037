import type { Got } from "got";
import type { StoredToken } from "./stored-token.ts";

/**
 * Follows the sample for `afterResponse` in got's documentation, which puts the new token into the instance's defaults.
 */
export function extendAsDocumented(api: Got, { read, renew }: StoredToken): Got {
  const instance = api.extend({
    mutableDefaults: true,
    hooks: {
      beforeRequest: [
        async (options) => {
          options.headers.authorization ??= `Bearer ${await read()}`;
        },
      ],
      afterResponse: [
        async (response, retryWithMergedOptions) => {
          if (response.statusCode !== 401) return response;
          const updated = { headers: { authorization: `Bearer ${await renew()}` } };
          instance.defaults.options.merge(updated);
          return retryWithMergedOptions(updated);
        },
      ],
    },
  });
  return instance;
}
