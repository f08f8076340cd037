import { describeType } from "../util/describe-type.ts";
import { isLoopback } from "../util/loopback.ts";

/** The origins that may receive tokens, such as `"https://api.example.com"`, or a predicate for the whole URL. */
export type Origins = readonly string[] | ((url: URL) => boolean);

/** The options that decide which URLs may receive tokens. */
export interface OriginOptions {
  /** The origins that may receive tokens. Default: the origin of `baseURL`. */
  readonly origins?: Origins | undefined;
  /** The client's current base URL. */
  readonly baseURL?: string | undefined;
  /**
   * Allows origins with plain `http:` beyond this machine's loopback, where everyone on the way can read the token: for
   * networks that are trusted as a whole, such as that of a cluster. Without it, such an origin is a `TypeError`, and a
   * predicate is not asked about such a URL. Default `false`.
   */
  readonly allowInsecure?: boolean | undefined;
}

export const ORIGINS = "an array of origins or a function";

/**
 * Returns a predicate for the URLs that may receive tokens. Reads `origins` once.
 *
 * @throws TypeError that names the invalid entry, never its value
 */
export function toPredicate({ origins, baseURL, allowInsecure }: OriginOptions): (url: URL) => boolean {
  const isSecure = ({ protocol, hostname }: URL) =>
    allowInsecure === true || protocol !== "http:" || isLoopback(hostname);
  const secured = (url: URL, name: string) => {
    if (isSecure(url)) return url.origin;
    throw new TypeError(
      `${name}: plain http would reveal the token to everyone on the network. Use https, or pass allowInsecure: true if the network is trusted.`,
    );
  };
  // compared with `true`, because the promise of an asynchronous function would allow every origin
  if (typeof origins === "function") return (url) => isSecure(url) && origins(url) === true;
  if (origins === undefined) {
    const own = secured(toBase(baseURL), "baseURL");
    return (url) => url.origin === own;
  }
  if (!Array.isArray(origins)) throw new TypeError(`origins: expected ${ORIGINS}, not ${describeType(origins)}.`);
  const allowed = origins.map((given, index) => secured(toOrigin(given, index), `origins[${index}]`));
  return (url) => allowed.includes(url.origin);
}

const toBase = (baseURL: string | undefined): URL => {
  if (baseURL && URL.canParse(baseURL)) return new URL(baseURL);
  throw new TypeError(
    `origins: needed, because ${baseURL === undefined ? "there is no base URL" : "the base URL is not absolute"}. Pass the origins that may receive the token, as in ["https://api.example.com"].`,
  );
};

const describeOrigin = (given: unknown, url: URL | undefined): string => {
  if (url?.hostname.includes("*")) return "a pattern; pass a function for that";
  if (url) return "a URL with more than these parts";
  return typeof given === "string" && given !== "" ? "a string of another form" : describeType(given);
};

const toOrigin = (given: unknown, index: number): URL => {
  const url = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
  const isBare = url && url.origin !== "null" && `${url.origin}/` === url.href && !/[?#*]/.test(String(given));
  if (isBare) return url;
  throw new TypeError(
    `origins[${index}]: expected scheme, host and port, as in "https://api.example.com", not ${describeOrigin(given, url)}.`,
  );
};
