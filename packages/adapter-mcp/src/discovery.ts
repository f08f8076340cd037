import { ConfigurationError, SignInFailedError } from "@unexpired/core";
import { type AuthorizationServer, discover } from "@unexpired/core/flows";

/** The metadata of an MCP server ({@link https://www.rfc-editor.org/rfc/rfc9728 RFC 9728}), and its authorization server. */
export interface Found {
  readonly server: AuthorizationServer;
  /** The value of `resource` for all requests to the authorization server; `undefined` if the MCP server publishes no metadata. */
  readonly resource: string | undefined;
  /** The scopes that the MCP server lists, space-separated. */
  readonly scopes: string | undefined;
  readonly metadataUrl: string | undefined;
}

export interface DiscoveryOptions {
  readonly serverUrl: URL;
  readonly fetch: typeof fetch;
  readonly allowInsecure: boolean | undefined;
}

interface ResourceMetadata {
  readonly url: string;
  readonly resource: string;
  readonly issuer: string | undefined;
  readonly scopes: string | undefined;
}

/** Finds the authorization server of an MCP server. */
export class Discovery {
  readonly #options: DiscoveryOptions;
  #found: Found | undefined;
  #loading: Promise<Found> | undefined;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
  }

  /** The result of the last discovery. */
  get found(): Found | undefined {
    return this.#found;
  }

  /** Returns what was found before, or loads it. Concurrent calls share the requests. */
  known(): Promise<Found> {
    if (this.#found) return Promise.resolve(this.#found);
    this.#loading ??= this.load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /**
   * Asks the servers again. `metadataUrl` is the address that the MCP server named.
   *
   * @throws ConfigurationError if a server's metadata is invalid
   * @throws SignInFailedError with the reason `unreachable`
   */
  async load(metadataUrl?: string, signal?: AbortSignal): Promise<Found> {
    const metadata = await this.#loadMetadata(metadataUrl, signal);
    const { origin } = this.#options.serverUrl;
    const issuer = metadata?.issuer ?? origin;
    const server = await this.serverOf(issuer, signal);
    this.#found = { server, resource: metadata?.resource, scopes: metadata?.scopes, metadataUrl: metadata?.url };
    return this.#found;
  }

  /** Returns the authorization server with this issuer. Not cached, unless it is that of the MCP server. */
  async serverOf(issuer: string, signal?: AbortSignal): Promise<AuthorizationServer> {
    const { fetch, allowInsecure, serverUrl } = this.#options;
    if (this.#found && isSameIssuer(this.#found.server.issuer, issuer) && !signal) return this.#found.server;
    try {
      return await discover(issuer, { fetch, allowInsecure, signal });
    } catch (error) {
      // before its metadata was specified, an MCP server was its own authorization server, with these endpoints
      if (!isWithoutMetadata(error) || !isSameIssuer(issuer, serverUrl.origin)) throw error;
      const at = (path: string) => new URL(path, serverUrl).href;
      return {
        issuer: serverUrl.origin,
        authorizationEndpoint: at("/authorize"),
        tokenEndpoint: at("/token"),
        registrationEndpoint: at("/register"),
        metadata: {},
      };
    }
  }

  /** Returns whether a URL of the MCP server's origin belongs to its authorization server, so that it gets no access token. */
  async isEndpoint(url: URL): Promise<boolean> {
    if (url.pathname.includes("/.well-known/")) return true;
    if (isSameResource(url, this.#options.serverUrl)) return false;
    const found = await this.known().catch(() => undefined); // without an authorization server there are no endpoints
    const { tokenEndpoint, authorizationEndpoint, registrationEndpoint, revocationEndpoint } = found?.server ?? {};
    return [tokenEndpoint, authorizationEndpoint, registrationEndpoint, revocationEndpoint].some(
      (endpoint) => endpoint !== undefined && isSameResource(new URL(endpoint), url),
    );
  }

  async #loadMetadata(
    named: string | undefined,
    signal: AbortSignal | undefined,
  ): Promise<ResourceMetadata | undefined> {
    const { serverUrl } = this.#options;
    for (const url of metadataUrls(serverUrl, named)) {
      const json = await this.#loadJson(url, signal);
      if (json !== undefined) return toMetadata(json, url, serverUrl);
    }
    return undefined;
  }

  /** Returns `undefined` if there is no document. */
  async #loadJson(url: URL, signal: AbortSignal | undefined): Promise<unknown> {
    const problem = `the metadata of the MCP server, ${url.href}, could not be loaded`;
    const failed = (cause: unknown) => {
      signal?.throwIfAborted();
      return new SignInFailedError("unreachable", { problem, cause });
    };
    const init = { headers: { accept: "application/json" }, ...(signal && { signal }) };
    const response = await this.#options.fetch(url, init).catch((error: unknown) => {
      throw failed(error);
    });
    if (response.status >= 500 || response.status === 429) throw failed(new Error(`HTTP ${response.status}`));
    const text = await response.text().catch((error: unknown) => {
      throw failed(error);
    });
    if (!response.ok) return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return undefined; // some servers respond to every path with a page
    }
  }
}

/** Lists the addresses at which the metadata may be: below the path, and for the whole origin (RFC 9728 §3.1). */
function metadataUrls(serverUrl: URL, named: string | undefined): readonly URL[] {
  const url = named === undefined ? null : URL.parse(named, serverUrl);
  if (url && (url.protocol === "https:" || serverUrl.protocol === "http:")) return [url];
  const path = serverUrl.pathname.replace(/\/$/, "");
  const root = new URL(WELL_KNOWN, serverUrl.origin);
  return path === "" ? [root] : [new URL(`${WELL_KNOWN}${path}${serverUrl.search}`, serverUrl.origin), root];
}

const WELL_KNOWN = "/.well-known/oauth-protected-resource";

/** @throws ConfigurationError if the document describes another server */
function toMetadata(json: unknown, url: URL, serverUrl: URL): ResourceMetadata {
  const {
    resource,
    authorization_servers: issuers,
    scopes_supported: scopes,
  } = Object(json) as Record<string, unknown>;
  if (typeof resource !== "string" || !isWithin(serverUrl, resource)) {
    const found = typeof resource === "string" ? `is about another resource, ${resource}` : "names no resource";
    throw new ConfigurationError(
      `The metadata ${url.href} ${found}. No token of ${serverUrl.href} is requested for it. Check the URL of the MCP server, or have its metadata fixed.`,
    );
  }
  const [issuer] = stringsOf(issuers);
  return { url: url.href, resource, issuer, scopes: stringsOf(scopes).join(" ") || undefined };
}

const stringsOf = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((each): each is string => typeof each === "string" && each !== "") : [];

/** Returns whether a URL lies below a resource: the metadata may describe the whole origin, or a path of it. */
function isWithin(url: URL, resource: string): boolean {
  const outer = URL.parse(resource);
  const folder = ({ pathname }: URL) => pathname.replace(/\/?$/, "/");
  return outer?.origin === url.origin && folder(url).startsWith(folder(outer));
}

const isSameResource = (a: URL, b: URL): boolean => a.origin === b.origin && a.pathname === b.pathname;

/** Compares issuers, one of which may have been written as a URL, with a slash at the end. */
export const isSameIssuer = (a: string, b: string): boolean => a.replace(/\/$/, "") === b.replace(/\/$/, "");

/** Returns whether an issuer publishes no metadata. That of another issuer has the status 200. */
function isWithoutMetadata(error: unknown): boolean {
  const { code, cause } = Object(error) as { readonly code?: unknown; readonly cause?: unknown };
  const { status } = Object(cause) as { readonly status?: unknown };
  return code === "CONFIGURATION" && typeof status === "number" && status !== 200;
}
