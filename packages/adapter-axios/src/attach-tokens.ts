import type { TokenSource } from "@unexpired/core";
import { createAuthorizer, type Origins } from "@unexpired/core/adapter";
import type { AxiosInstance, AxiosResponse } from "axios";
import { type AsSeen, authorize } from "./authorizing-adapter.ts";

/** Options of {@link attachTokens}. */
export interface AttachOptions {
  /**
   * Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. Default:
   * the origin of the instance's own `baseURL` at this moment. A request's own `baseURL` never widens it.
   */
  readonly origins?: Origins | undefined;
  /**
   * Whether the server refused the token, where it says so in another way than with status 401. Gets the response to a
   * request that had the token, also where axios throws for its status, with `data` as `transformResponse` makes it.
   */
  readonly isUnauthorized?: ((response: AxiosResponse) => boolean | Promise<boolean>) | undefined;
}

/**
 * Sends the session's access token with every request of an axios instance to one of `origins`, and sends a request
 * once more after a 401, with a newer token. `perRequest` makes options for a single request.
 *
 * A request interceptor puts this around the instance's transport (axios calls it "adapter"). So it comes after every
 * interceptor, whatever the order, and those of others run once per call: a 401 that is repeated is not theirs to see.
 *
 * @returns detaches it again; requests under way finish as they began
 * @throws TypeError where `origins` is absent and the instance has no absolute `baseURL`, or is not made of origins
 */
export function attachTokens(
  instance: Pick<AxiosInstance, "defaults" | "interceptors">,
  tokens: TokenSource,
  { origins, isUnauthorized }: AttachOptions = {},
): () => void {
  const authorizer = createAuthorizer<AsSeen>(tokens, {
    origins,
    baseURL: instance.defaults.baseURL,
    isUnauthorized: isUnauthorized && ((asSeen) => asSeen().then(isUnauthorized, () => false)),
  });
  const id = instance.interceptors.request.use(
    (config) => {
      const { adapter } = config;
      return Object.assign(config, {
        adapter: (final: typeof config) => {
          Object.assign(final, { adapter }); // whoever sends this config again does not wrap it twice
          return authorize(final, authorizer);
        },
      });
    },
    undefined,
    { synchronous: true },
  );
  return () => instance.interceptors.request.eject(id);
}
