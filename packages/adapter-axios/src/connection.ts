import { mayConnectElsewhere } from "@unexpired/core/adapter";
import type { AxiosRequestConfig } from "axios";

/** The options of a config that decide, besides its URL, which server the request is connected to. */
export type Connection = {
  readonly [Name in OptionName]?: AxiosRequestConfig[Name] | undefined;
};

type OptionName = "http2Options" | "httpAgent" | "httpsAgent" | "lookup" | "proxy" | "socketPath" | "transport";

/** Returns a copy of the {@link Connection} of an instance, to compare requests with. */
export const connectionOf = (defaults: Connection): Connection => {
  const { http2Options, httpAgent, httpsAgent, lookup, proxy, transport } = defaults;
  return { http2Options: { ...http2Options }, httpAgent, httpsAgent, lookup, proxy: proxy && { ...proxy }, transport };
};

/**
 * Returns whether a request may be connected to a server other than that of its URL. Options that the instance had when
 * tokens were attached (`fixed`) do not count, except for a `socketPath`.
 */
export function isConnectedElsewhere(config: Connection, fixed: Connection, url: URL): boolean {
  const { http2Options, lookup, proxy, socketPath, transport } = config;
  const isSecure = url.protocol === "https:";
  const agent = isSecure ? "httpsAgent" : "httpAgent";
  return (
    Boolean(socketPath) ||
    transport?.request !== fixed.transport?.request || // axios copies the object itself
    (Boolean(proxy) && JSON.stringify(proxy) !== JSON.stringify(fixed.proxy)) ||
    (!isSecure && lookup !== fixed.lookup) ||
    (config[agent] !== fixed[agent] && mayConnectElsewhere(config[agent], url)) ||
    (http2Options !== undefined && hasOwnTarget(http2Options, fixed.http2Options))
  );
}

/** Options of `http2.connect` that decide which server it connects to, and which one it accepts. */
const TARGET = ["createConnection", "host", "path", "port", "lookup", "servername", "checkServerIdentity"];

const hasOwnTarget = (options: Readonly<Record<string, unknown>>, fixed: Readonly<Record<string, unknown>> = {}) =>
  TARGET.some((name) => options[name] !== fixed[name]) ||
  (options.rejectUnauthorized === false && fixed.rejectUnauthorized !== false);
