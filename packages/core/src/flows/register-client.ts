import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { ConfigurationError } from "../errors.ts";
import { loadClient, updateClient } from "../record/stored-client.ts";
import { CLIENT_AUTH, type ClientAuth, clientAuthSchema } from "../token-endpoint/client-auth.ts";
import { toResponseError, tryJson } from "../token-endpoint/endpoint-response.ts";
import { ENDPOINT, endpointSchema } from "../token-endpoint/endpoint-url.ts";
import type { Clock, TokenStore } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { checkOptions, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { storeOption } from "../util/store-option.ts";
import type { AuthorizationServer } from "./authorization-server.ts";
import { type ClientOptions, isServer, issuerOption, resolveServer, textSchema } from "./client.ts";
import { type DiscoverOptions, discoverTable, sameUrl } from "./discovery.ts";
import { isEndpointError, isUnavailable, toSignInError } from "./failure.ts";
import {
  type ClientMetadata,
  type RegisteredClient,
  type Registration,
  type RegistrationKey,
  registrationFor,
  toRegisteredClient,
} from "./registration.ts";
import { sendRequest, without } from "./server-request.ts";

/** Options of {@link registerClient}. */
export interface RegisterClientOptions extends DiscoverOptions, Pick<ClientOptions, "issuer"> {
  /** The metadata to register. Sent as it is, with a default for `grant_types`. */
  readonly metadata: ClientMetadata;
  /**
   * The URL at which you publish the same metadata. A server that supports client ID metadata documents takes it for the client
   * ID, and needs no registration
   * ({@link https://datatracker.ietf.org/doc/draft-ietf-oauth-client-id-metadata-document/ OAuth Client ID Metadata Document}).
   */
  readonly metadataUrl?: string | undefined;
  /** The resource for which the client is used: another one gets another registration. */
  readonly resource?: string | undefined;
  /** Permits the registration, at servers that demand it ({@link https://www.rfc-editor.org/rfc/rfc7591#section-3 RFC 7591 §3}). */
  readonly initialAccessToken?: string | undefined;
  /** The authentication of a client that registers a key or a certificate. Default: according to the registration. */
  readonly clientAuth?: ClientAuth | undefined;
  /**
   * Keeps the registration, beside the session and beyond it. All processes that share the store use the same one. Without it,
   * each call registers another client.
   */
  readonly store?: TokenStore | undefined;
  /** Time, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

const table = {
  ...discoverTable,
  issuer: issuerOption,
  metadata: [z.record(z.string(), z.unknown()), "an object, such as { redirect_uris: [...] }", "required"],
  metadataUrl: [endpointSchema, ENDPOINT],
  resource: [textSchema, "a non-empty string"],
  initialAccessToken: [textSchema, "a non-empty string"],
  clientAuth: [clientAuthSchema, CLIENT_AUTH],
  store: storeOption,
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof RegisterClientOptions, unknown>;

const GRANT_TYPES = ["authorization_code", "refresh_token"];

/**
 * Registers a client ({@link https://www.rfc-editor.org/rfc/rfc7591 RFC 7591}), or returns the one that the store keeps for the
 * same issuer, resource and metadata: then nothing is sent. A client whose secret has expired is registered anew. Processes
 * that register at the same time agree on one client; the others stay unused at the server.
 *
 * @throws ConfigurationError if the server has no registration endpoint, or rejects the registration
 * @throws SignInFailedError with the reason `unreachable` if the server is failing or out of reach
 * @throws StoreError if the store cannot be read or written
 * @throws TypeError if an option is invalid; otherwise the signal's reason, once it aborts
 */
export async function registerClient(options: RegisterClientOptions): Promise<RegisteredClient> {
  const own = checkOptions("registerClient", table, options);
  const { metadataUrl, store, clientAuth } = own;
  const metadata: ClientMetadata = { ...own.metadata, grant_types: own.metadata.grant_types ?? GRANT_TYPES };
  const clock = completeClock(own.clock ?? {});
  const discovered = metadataUrl === undefined ? undefined : await resolveServer(own, own.signal);
  if (metadataUrl !== undefined && discovered?.metadata.client_id_metadata_document_supported === true)
    return toRegisteredClient(
      { client_id: metadataUrl },
      { token_endpoint_auth_method: "none", ...metadata },
      clientAuth,
    );
  const known = store && (await findKnown(own, { store, metadata, clock }));
  if (known) return toRegisteredClient(known, metadata, clientAuth);
  const server = discovered ?? (await resolveServer(own, own.signal));
  const registration = await register(server, own, metadata);
  const client = toRegisteredClient(registration, metadata, clientAuth); // first: one that is useless must not be kept
  if (!store) return client;
  const key = { issuer: server.issuer, resource: own.resource, metadata };
  const kept = await abortable(keep(registration, key, { store, clock }), own.signal);
  return toRegisteredClient(kept, metadata, clientAuth);
}

interface Storage {
  readonly store: TokenStore;
  readonly clock: Clock;
}

/** Returns the registration that is stored for the client. Sends nothing. */
async function findKnown(
  { issuer, resource, signal }: RegisterClientOptions,
  { store, clock, metadata }: Storage & { readonly metadata: ClientMetadata },
): Promise<Registration | undefined> {
  signal?.throwIfAborted();
  const stored = await abortable(loadClient(store, clock), signal);
  if (stored?.issuer === undefined || !URL.canParse(stored.issuer)) return undefined;
  const isSame = sameUrl(stored.issuer, isServer(issuer) ? issuer.issuer : issuer);
  return isSame ? registrationFor(stored, { issuer: stored.issuer, resource, metadata }, clock.now()) : undefined;
}

/** Stores the registration, and returns it, or the one that another process has stored first. */
async function keep(
  registration: Registration,
  key: RegistrationKey,
  { store, clock }: Storage,
): Promise<Registration> {
  const isStored = (stored: Parameters<typeof registrationFor>[0]) => registrationFor(stored, key, clock.now());
  const kept = await updateClient(
    store,
    (stored) => (isStored(stored) ? stored : { ...stored, ...key, metadata: { ...key.metadata }, registration }),
    clock,
  );
  return kept?.registration ?? registration;
}

const KIND = "registration endpoint";

async function register(
  { issuer, registrationEndpoint }: AuthorizationServer,
  { initialAccessToken, signal, fetch, timeout }: RegisterClientOptions,
  metadata: ClientMetadata,
): Promise<Registration> {
  if (registrationEndpoint === undefined)
    throw new ConfigurationError(
      `The authorization server ${issuer} has no valid registration endpoint. Register the client by hand, and pass its clientId to the flow.`,
    );
  const secrets = () => (initialAccessToken === undefined ? [] : [initialAccessToken]);
  const request = { fetch, timeout, signal, url: new URL(registrationEndpoint), kind: KIND, secrets };
  try {
    return await sendRequest(request, async (options, name) => {
      const server = { issuer, registration_endpoint: registrationEndpoint };
      const response = await oauth.dynamicClientRegistrationRequest(server, metadata as Partial<oauth.Client>, {
        ...options,
        ...(initialAccessToken !== undefined && { initialAccessToken }),
      });
      const text = await response.text();
      const body = tryJson(text);
      if (!response.ok) throw toResponseError(response, text, name);
      if (typeof body?.client_id !== "string" || body.client_id === "") throw without("client_id", response, name);
      return body;
    });
  } catch (error) {
    if (!isEndpointError(error)) throw error;
    if (isUnavailable(error)) throw toSignInError(error);
    throw new ConfigurationError(`${error.message.replace(/\.$/, "")}. ${HINT}`, { cause: error });
  }
}

const HINT =
  "Check the metadata, and whether the server demands an initialAccessToken. Otherwise register the client by hand, and pass its clientId to the flow.";
