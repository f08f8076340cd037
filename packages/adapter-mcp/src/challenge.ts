import { parseChallenges } from "@unexpired/core/adapter";

/** The reason why an MCP server refuses a request, if a sign-in can help. */
export interface Demand {
  /** `token`: a token, or another one. `scope`: a token with more rights. */
  readonly kind: "token" | "scope";
  /** The scope that the server names. */
  readonly scope: string | undefined;
  /** Where the server's metadata is (RFC 9728 §5.1). */
  readonly metadataUrl: string | undefined;
}

/**
 * Returns what the server wants, or `undefined` if a sign-in would not change the response: a 401, or a 403 that says that the
 * scope is not enough ({@link https://www.rfc-editor.org/rfc/rfc6750#section-3.1 RFC 6750 §3.1}).
 */
export function demandOf({ status, headers }: Response): Demand | undefined {
  if (status !== 401 && status !== 403) return undefined;
  const challenges = parseChallenges(headers.get("www-authenticate") ?? "").filter(({ scheme }) => scheme === "bearer");
  const {
    error,
    scope,
    resource_metadata: metadataUrl,
  } = Object.assign({}, ...challenges.map((each) => each.parameters));
  const kind = error?.toLowerCase() === "insufficient_scope" ? "scope" : "token";
  return status === 403 && kind === "token" ? undefined : { kind, scope, metadataUrl };
}

/** Returns each scope of the lists once, or `undefined` if they are all empty. */
export function unionOf(...scopes: readonly (string | undefined)[]): string | undefined {
  const all = new Set(scopes.flatMap((scope) => scope?.split(/\s+/).filter(Boolean) ?? []));
  return all.size === 0 ? undefined : [...all].join(" ");
}

/** Returns the response with a challenge that names `scope`, so that the SDK asks for all of it. */
export function withScope(response: Response, { metadataUrl }: Demand, scope: string | undefined): Response {
  const parameters = { error: "insufficient_scope", scope, resource_metadata: metadataUrl };
  const named = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}="${value}"`,
  );
  const { status, statusText, body } = response;
  const headers = new Headers(response.headers);
  headers.set("www-authenticate", `Bearer ${named.join(", ")}`);
  return new Response(body, { status, statusText, headers });
}

/** Returns the response without its challenge, so that the SDK reports the status and starts no sign-in. */
export function withoutChallenge({ status, statusText, body, headers: given }: Response): Response {
  const headers = new Headers(given);
  headers.delete("www-authenticate");
  return new Response(body, { status, statusText, headers });
}
