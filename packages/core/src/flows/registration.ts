import { ConfigurationError } from "../errors.ts";
import type { StoredClient } from "../record/record.ts";
import type { ClientAuth } from "../token-endpoint/client-auth.ts";
import { toTime } from "../util/clock.ts";
import { setInspectView } from "../util/inspect.ts";

/** The metadata of a client ({@link https://www.rfc-editor.org/rfc/rfc7591#section-2 RFC 7591 §2}). */
export interface ClientMetadata {
  readonly redirect_uris?: readonly string[] | undefined;
  readonly client_name?: string | undefined;
  /** Default: `["authorization_code", "refresh_token"]`. RFC 7591's own default has no refresh tokens. */
  readonly grant_types?: readonly string[] | undefined;
  /** `"none"` for a public client. If omitted, the server decides; RFC 7591 says `"client_secret_basic"`. */
  readonly token_endpoint_auth_method?: string | undefined;
  readonly scope?: string | undefined;
  readonly [member: string]: unknown;
}

/** A client that a server has registered. `util.inspect` and `JSON.stringify` show it without its secret. */
export interface RegisteredClient {
  readonly clientId: string;
  /** For `clientAuth` of the flows, and of `oauth2Refresh`. */
  readonly clientAuth: ClientAuth;
  /** The redirect URIs that the server has registered. */
  readonly redirectUris: readonly string[];
  /** When the client secret expires, in epoch milliseconds; `undefined` for never, or without one. */
  readonly expiresAt?: number | undefined;
}

/** The response of a registration endpoint ({@link https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1 RFC 7591 §3.2.1}). */
export type Registration = Readonly<Record<string, unknown>>;

/** A client as it is asked for: another one needs another registration. */
export interface RegistrationKey {
  readonly issuer: string;
  readonly resource: string | undefined;
  readonly metadata: ClientMetadata;
}

/** Returns the stored registration of this client, unless its secret has expired. */
export function registrationFor(stored: StoredClient | undefined, key: RegistrationKey, now: number) {
  const { issuer, resource, metadata, registration } = stored ?? {};
  if (typeof registration?.client_id !== "string" || sorted({ issuer, resource, metadata }) !== sorted(key)) return;
  return (expiryOf(registration) ?? now + 1) > now ? registration : undefined;
}

/** Returns JSON in which the order of members does not matter. */
const sorted = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );

/** Returns when the client secret expires; `undefined` for never, which servers send as 0. */
function expiryOf({ client_secret, client_secret_expires_at: seconds }: Registration): number | undefined {
  return typeof client_secret === "string" && typeof seconds === "number" && seconds > 0
    ? toTime(seconds * 1000)
    : undefined;
}

/**
 * Returns the client of a registration. `clientAuth` is the caller's, for methods with a key or a certificate.
 *
 * @throws ConfigurationError if that is missing
 */
export function toRegisteredClient(
  registration: Registration,
  metadata: ClientMetadata,
  clientAuth: ClientAuth | undefined,
): RegisteredClient {
  const uris = registration.redirect_uris ?? metadata.redirect_uris;
  const auth = clientAuth ?? authOf(registration, metadata);
  if (typeof auth === "object") setInspectView(auth, () => ({ method: auth.method }));
  return {
    clientId: String(registration.client_id),
    clientAuth: auth,
    redirectUris: Array.isArray(uris) ? uris.filter((each) => typeof each === "string") : [],
    expiresAt: expiryOf(registration),
  };
}

function authOf({ client_secret, token_endpoint_auth_method }: Registration, metadata: ClientMetadata): ClientAuth {
  const clientSecret = typeof client_secret === "string" ? client_secret : undefined;
  const fallback = clientSecret === undefined ? "none" : "client_secret_basic";
  const method = token_endpoint_auth_method ?? metadata.token_endpoint_auth_method ?? fallback;
  if (method === "none") return { method };
  const isBySecret = method === "client_secret_basic" || method === "client_secret_post";
  if (isBySecret && clientSecret !== undefined) return { method, clientSecret };
  throw new ConfigurationError(
    isBySecret
      ? `The server registered the client for ${method}, but sent no client_secret. Register it with another token_endpoint_auth_method, such as "none".`
      : `The client is registered for ${String(method)}. Pass its authentication as clientAuth, such as PrivateKeyJwt(key).`,
  );
}
