/**
 * Codes of failures that precede any request: of the connection, of TLS, and of a proxy that refuses the tunnel. Such
 * errors have no `syscall`.
 */
const NOT_SENT =
  /^(UND_ERR_CONNECT_TIMEOUT|ERR_PROXY_TUNNEL|CERT_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_CERT_|ERR_SSL_(WRONG_VERSION|UNSUPPORTED_PROTOCOL|.*ALERT_(HANDSHAKE|PROTOCOL)))/;
/** Messages of such failures whose codes also occur after sending: ECONNRESET, UND_ERR_ABORTED. */
const NOT_SENT_MESSAGE = /before secure TLS connection was established|^Proxy response \(\d+\) !== 200|^bad port$/;
const CAUSES = 5;

/**
 * Returns whether the request that failed with this error was certainly not sent: the host could not be found or
 * connected to, or TLS or a proxy refused the connection. For refresh functions, which then throw a `TokenEndpointError`
 * with `sent: false`. Knows the errors of Node's clients and of `fetch`, also as a `cause` or in an aggregate; of any other
 * error it returns `false`. Never throws.
 */
export function isUnsent(error: unknown): boolean {
  try {
    return isCertainlyUnsent(error, 0);
  } catch {
    return false; // a getter of the error threw
  }
}

function isCertainlyUnsent(error: unknown, depth: number): boolean {
  if (typeof error !== "object" || error === null || depth > CAUSES) return false;
  const [code, syscall, cause, errors, message] = ["code", "syscall", "cause", "errors", "message"].map(
    (key): unknown => Reflect.get(error, key),
  );
  if (Array.isArray(errors)) return errors.length > 0 && errors.every((each) => isCertainlyUnsent(each, depth + 1));
  if (syscall === "connect" || syscall === "getaddrinfo") return true;
  return NOT_SENT.test(String(code)) || NOT_SENT_MESSAGE.test(String(message)) || isCertainlyUnsent(cause, depth + 1);
}
