/** The loopback hosts that a redirect URI may have. */
const HOSTS = ["127.0.0.1", "[::1]", "localhost"];

/**
 * Parses the redirect URI of a program that listens on this machine
 * ({@link https://www.rfc-editor.org/rfc/rfc8252#section-7.3 RFC 8252 §7.3}).
 *
 * @throws TypeError that says what is accepted
 */
export function parseRedirectUri(redirectUri: unknown): URL {
  const url = typeof redirectUri === "string" ? URL.parse(redirectUri) : null;
  const isPlain = url && !url.search && !url.hash && !url.username && !url.password;
  if (isPlain && url.protocol === "http:" && HOSTS.includes(url.hostname)) return url;
  throw new TypeError(
    `redirectUri: expected an http: URL on ${HOSTS.join(", ")} without a query, such as "http://127.0.0.1/callback" or "http://127.0.0.1:8400/callback".`,
  );
}

/** Lists the addresses to listen on, for `listen`: browsers try both of `localhost`. */
export function addressesOf({ hostname }: URL): readonly [string, ...string[]] {
  if (hostname === "localhost") return ["127.0.0.1", "::1"];
  return [hostname.replace(/^\[|\]$/g, "")];
}
