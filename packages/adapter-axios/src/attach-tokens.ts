import { createAuthorizer, type Origins, type TokenSource } from "@unexpired/core";
import { type AxiosInstance, getAdapter } from "axios";
import { authorize } from "./authorizing-adapter.ts";

/** Options of {@link attachTokens}. */
export interface AttachOptions {
  /**
   * Where the tokens may go: origins such as `"https://api.example.com"`, or a predicate over the whole URL. Default:
   * the origin of the instance's own `baseURL` at this moment. A request's own `baseURL` never widens it.
   */
  readonly origins?: Origins | undefined;
}

/**
 * Sends the session's access token with every request of an axios instance to one of `origins`, and sends a request
 * once more after a 401, with a newer token.
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
  { origins = [originOf(instance.defaults.baseURL)] }: AttachOptions = {},
): () => void {
  const authorizer = createAuthorizer(tokens, { origins });
  const mayFollow = (from: URL, to: URL) =>
    from.origin === to.origin && (typeof origins !== "function" || origins(to) === true);
  const id = instance.interceptors.request.use(
    (config) => {
      const { adapter } = config;
      return Object.assign(config, {
        adapter: (final: typeof config) => {
          Object.assign(final, { adapter }); // whoever sends this config again does not wrap it twice
          return authorize({ config: final, send: getAdapter(adapter, final), authorizer, mayFollow });
        },
      });
    },
    undefined,
    { synchronous: true },
  );
  return () => instance.interceptors.request.eject(id);
}

const originOf = (baseURL: string | undefined): string => {
  if (URL.canParse(baseURL ?? "")) return new URL(baseURL ?? "").origin;
  throw new TypeError(
    `origins: needed, because the instance's baseURL is ${baseURL === undefined ? "undefined" : "not an absolute URL"}. Give the origins that may get the token, as in ["https://api.example.com"].`,
  );
};
