import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import type { AxiosInstance, AxiosResponse } from "axios";
import { type Attachment, authorize, type GetTransformedResponse } from "./authorizing-adapter.ts";
import { connectionOf } from "./connection.ts";
import { ownAxiosOf } from "./own-axios.ts";

/** Options of {@link attachTokens}. */
export interface AttachOptions {
  /**
   * The origins that may receive tokens, such as `"https://api.example.com"`, or a predicate over the whole URL.
   * Default: the origin of the instance's `baseURL` at the time of the call; that of a single request never extends it.
   */
  readonly origins?: Origins | undefined;
  /**
   * Allows origins with plain `http:` beyond this machine's loopback, for networks that are trusted as a whole. Default
   * `false`.
   */
  readonly allowInsecure?: boolean | undefined;
  /**
   * Whether the server rejected the token; replaces the check for status 401. Called with the first response
   * to each request that carried the token, even if axios throws for its status. `data` is the result of
   * `transformResponse`.
   */
  readonly isUnauthorized?: ((response: AxiosResponse) => boolean | Promise<boolean>) | undefined;
}

/** An axios instance, an instance of the class `Axios`, or the global `axios`, of any copy of axios in a program. */
export type Attachable = Pick<AxiosInstance, "interceptors"> & {
  readonly defaults: Omit<AxiosInstance["defaults"], "headers">;
};

/**
 * Sends the session's access token with every request of an axios instance to one of `origins`, and retries a request
 * once, with a newer token, after a 401. Use `perRequest` to override this for a single request.
 *
 * A request interceptor wraps the instance's transport (which axios calls "adapter"). The token is therefore attached
 * after all interceptors, regardless of their order, and interceptors run once per call: they do not see a 401 that is
 * retried.
 *
 * @returns a function that detaches the tokens; requests in flight are not affected
 * @throws TypeError if `origins` is invalid, or if it is omitted and the instance has no absolute `baseURL`, or if one of
 * them is plain http beyond loopback without `allowInsecure`
 */
export function attachTokens(instance: Attachable, tokens: TokenSource, options: AttachOptions = {}): () => void {
  const { isUnauthorized }: AttachOptions = { isUnauthorized: undefined, ...options }; // not from Object.prototype
  const attachment: Attachment = {
    authorizer: createAuthorizer<GetTransformedResponse>(tokens, {
      ...options,
      baseURL: instance.defaults.baseURL,
      isUnauthorized: isUnauthorized && ((getTransformed) => getTransformed().then(isUnauthorized, () => false)),
    }),
    axios: ownAxiosOf(instance),
    connection: connectionOf(instance.defaults),
  };
  const id = instance.interceptors.request.use(
    (config) => {
      const { adapter } = config;
      return Object.assign(config, {
        adapter: (final: typeof config) => {
          Object.assign(final, { adapter }); // so that a config that is sent again is not wrapped twice
          return authorize(final, attachment);
        },
      });
    },
    undefined,
    { synchronous: true },
  );
  return () => instance.interceptors.request.eject(id);
}
