import { ConfigurationError, type TokenStore } from "@unexpired/core";
import { registerClient } from "@unexpired/core/flows";
import type { ClientAuth } from "@unexpired/core/oauth2";
import { loadClient, type StoredClient, updateClient } from "@unexpired/core/session-record";
import { type Found, isSameIssuer } from "./discovery.ts";
import type { ClientInformation, ClientMetadata } from "./sdk-types.ts";

/** A client that was registered by hand. */
export interface RegisteredByHand {
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
}

/** The client with which a sign-in or an exchange authenticates. */
export interface CurrentClient {
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly redirectUri: string | undefined;
}

export interface RegistrationOptions {
  readonly store: TokenStore;
  readonly client: RegisteredByHand | undefined;
  readonly clientMetadata: ClientMetadata;
  readonly clientMetadataUrl: string | undefined;
  readonly fetch: typeof fetch;
  readonly allowInsecure: boolean | undefined;
}

type Metadata = Readonly<Record<string, unknown>>;

/** The registration of the client, which all processes share: it is stored beside the session. */
export class Registration {
  readonly #options: RegistrationOptions;
  #last: StoredClient | undefined;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  /** The redirect URI of the registration that was loaded last, or else that of the metadata. */
  get redirectUri(): string | undefined {
    const [registered] = listOf(this.#last?.registration?.redirect_uris ?? this.#last?.metadata?.redirect_uris);
    return registered ?? this.#options.clientMetadata.redirect_uris[0];
  }

  /** Returns what is stored. */
  async load(): Promise<StoredClient | undefined> {
    this.#last = await loadClient(this.#options.store);
    return this.#last;
  }

  /** Returns the client to authenticate as. `metadata` is that of the authorization server. */
  clientOf(stored: StoredClient | undefined, metadata: Metadata): CurrentClient | undefined {
    const information = this.informationFor(stored, stored?.issuer);
    if (!information) return undefined;
    const { client_id: clientId } = information;
    return { clientId, clientAuth: authOf(information, metadata), redirectUri: this.redirectUri };
  }

  /** Returns the client as the SDK knows it, unless it belongs to another issuer. */
  informationFor(stored: StoredClient | undefined, issuer: string | undefined): StoredInformation | undefined {
    const { client } = this.#options;
    if (stored?.issuer !== undefined && issuer !== undefined && !isSameIssuer(stored.issuer, issuer)) return undefined;
    const stamp = stored?.issuer === undefined ? {} : { issuer: stored.issuer };
    if (client)
      return {
        client_id: client.clientId,
        ...(client.clientSecret !== undefined && { client_secret: client.clientSecret }),
        ...stamp,
      };
    const { client_id: id } = stored?.registration ?? {};
    return typeof id === "string" ? ({ ...stored?.registration, ...stamp } as StoredInformation) : undefined;
  }

  /**
   * Returns the client for a sign-in: the one that was registered by hand, the stored one, or a new one. Called by the process that
   * holds the claim of the sign-in.
   *
   * @throws the errors of `registerClient`
   */
  async obtain(found: Found, signal: AbortSignal): Promise<CurrentClient> {
    const { client, store } = this.#options;
    const { server, resource } = found;
    const id = client ? undefined : await this.#register(found, signal);
    // a client without a registration is stored as well, so that other processes refresh as the same one
    const isStored = ({ issuer, resource: known, registration }: StoredClient) =>
      isSameIssuer(issuer ?? "", server.issuer) && known === resource && registration?.client_id === id;
    const registration = id === undefined ? undefined : { client_id: id };
    this.#last = await updateClient(store, (stored) =>
      stored && isStored(stored) ? stored : { ...stored, issuer: server.issuer, resource, registration },
    );
    const obtained = this.clientOf(this.#last, server.metadata);
    if (obtained) return obtained;
    throw new ConfigurationError("The client was replaced by another process while it was registered. Try again.");
  }

  /** Registers the client if necessary, and returns its ID. */
  async #register({ server, resource }: Found, signal: AbortSignal): Promise<string> {
    const { store, clientMetadata, clientMetadataUrl, fetch, allowInsecure } = this.#options;
    const listed = listOf(server.metadata.token_endpoint_auth_methods_supported);
    const own = { ...(listed.includes("none") && { token_endpoint_auth_method: "none" }), ...clientMetadata };
    const stored = (await this.load())?.metadata;
    const { clientId } = await registerClient({
      issuer: server,
      metadata: stored && isSameApartFromPort(stored, own) ? stored : own,
      metadataUrl: clientMetadataUrl,
      resource,
      store,
      signal,
      fetch,
      allowInsecure,
    });
    return clientId;
  }

  /** Stores a client that the SDK has registered, or binds one that it was given to its issuer. */
  async save({ issuer: _, ...registration }: ClientInformation, issuer: string | undefined): Promise<void> {
    if (this.#options.client) return this.bind(issuer);
    this.#last = await updateClient(this.#options.store, (stored) => ({ ...stored, issuer, registration }));
  }

  /** Notes the issuer of the session, if it is another one than is stored. */
  async bind(issuer: string | undefined): Promise<void> {
    if (issuer === undefined) return;
    const isBound = (stored: StoredClient | undefined) =>
      stored?.issuer !== undefined && isSameIssuer(stored.issuer, issuer);
    this.#last = await updateClient(this.#options.store, (stored) =>
      isBound(stored) ? stored : { ...stored, issuer },
    );
  }

  /** Forgets the client that was used last, unless another process has replaced it. */
  async drop(clientId: unknown = this.#last?.registration?.client_id): Promise<void> {
    const isStored = (stored: StoredClient | undefined) => stored?.registration?.client_id === clientId;
    if (clientId === undefined) return;
    this.#last = await updateClient(this.#options.store, (stored) =>
      stored && isStored(stored) ? { ...stored, registration: undefined } : stored,
    );
  }

  /** Forgets the client if an error says that its authorization server no longer knows it. */
  async dropIfRejected(error: unknown): Promise<void> {
    if (isInvalidClient(error)) await this.drop();
  }
}

/** Compares metadata. Another process may have registered another port of this machine, to which the server then redirects. */
function isSameApartFromPort(a: object, b: object): boolean {
  const [one, two] = [a, b].map((metadata) =>
    JSON.stringify(Object.entries(metadata).sort()).replace(LOCAL_PORT, "$1"),
  );
  return one === two;
}

const LOCAL_PORT = /("http:\/\/(?:localhost|127(?:\.\d+){3}|\[::1\])):\d+/g;

const MAX_CAUSES = 5;

function isInvalidClient(thrown: unknown, depth = 0): boolean {
  const { error, cause } = Object(thrown) as { readonly error?: unknown; readonly cause?: unknown };
  return error === "invalid_client" || (cause !== undefined && depth < MAX_CAUSES && isInvalidClient(cause, depth + 1));
}

const METHODS = ["client_secret_basic", "client_secret_post", "none"];

/**
 * Returns how a client authenticates: as it is registered, or else as the server supports it. Without a list, servers support
 * `client_secret_basic` (RFC 8414 §2).
 */
function authOf(
  { client_secret: clientSecret, token_endpoint_auth_method: own }: StoredInformation,
  metadata: Metadata,
): ClientAuth {
  const listed = listOf(metadata.token_endpoint_auth_methods_supported);
  const supported = listed.length === 0 ? METHODS : METHODS.filter((method) => listed.includes(method));
  if (clientSecret === undefined || own === "none") return { method: "none" };
  const method = own !== undefined && supported.includes(own) ? own : supported[0];
  if (method === "none") return { method };
  return { method: method === "client_secret_basic" ? method : "client_secret_post", clientSecret };
}

type StoredInformation = ClientInformation & { readonly token_endpoint_auth_method?: string };

const listOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
