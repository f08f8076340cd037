import {
  SignInFailedError,
  SignInRequiredError,
  type TokenManager,
  type TokenSet,
  tokenSetFromResponse,
} from "@unexpired/core";
import { systemClock } from "@unexpired/core/adapter";
import type { Registration } from "./registration.ts";
import type {
  ClientInformation,
  ClientMetadata,
  DiscoveryState,
  IssuerContext,
  McpAuthProvider,
  McpTokens,
  SavedTokens,
} from "./sdk-types.ts";
import type { SignIn } from "./sign-in.ts";

export interface ProviderDeps {
  readonly tokens: TokenManager;
  readonly registration: Registration;
  readonly signIn: SignIn | undefined;
  readonly clientMetadata: ClientMetadata;
  readonly clientMetadataUrl: string | undefined;
  /** Opens the page of the authorization server; absent if the SDK never signs in. */
  readonly onRedirect: ((url: URL) => unknown) | undefined;
  /** When the SDK's last request to the authorization server was sent, in epoch milliseconds. */
  readonly sentAt: () => number | undefined;
}

/** The provider for the SDK. It shows the SDK no refresh token, so that only the token manager can spend it. */
export class Provider implements McpAuthProvider {
  readonly #deps: ProviderDeps;
  #verifier: string | undefined;
  #discovery: DiscoveryState | undefined;

  constructor(deps: ProviderDeps) {
    this.#deps = deps;
    const { clientMetadataUrl } = deps;
    if (clientMetadataUrl !== undefined) Object.assign(this, { clientMetadataUrl });
  }

  /** The redirect URI that the client is registered with, as far as is known by now. */
  get redirectUrl(): string {
    return this.#deps.registration.redirectUri ?? "http://127.0.0.1/callback";
  }

  get clientMetadata(): ClientMetadata {
    return this.#deps.clientMetadata;
  }

  /** A random value, which the program that receives the redirect has to compare. */
  state(): string {
    return systemClock.randomId();
  }

  async clientInformation(context?: IssuerContext): Promise<ClientInformation | undefined> {
    const { registration } = this.#deps;
    const stored = await registration.load();
    return registration.informationFor(stored, context?.issuer);
  }

  async saveClientInformation(information: ClientInformation, context?: IssuerContext): Promise<void> {
    await this.#deps.registration.save(information, information.issuer ?? context?.issuer);
  }

  /** Renews the token if it is due. The SDK calls this before every request; `fetch` reports what goes wrong. */
  async tokens(context?: IssuerContext): Promise<McpTokens | undefined> {
    const current = await this.#current();
    if (!current) return undefined;
    const stored = await this.#deps.registration.load().catch(() => undefined);
    const issuer = stored?.issuer ?? context?.issuer;
    return {
      access_token: current.accessToken,
      token_type: current.tokenType,
      ...(current.scope !== undefined && { scope: current.scope }),
      ...(issuer !== undefined && { issuer }),
    };
  }

  #current(): Promise<TokenSet | undefined> {
    return this.#deps.tokens.getTokenSet().catch(() => undefined);
  }

  /** Ends a sign-in. The SDK also calls this with the tokens that it was given, to note their issuer. */
  async saveTokens(saved: SavedTokens, context?: IssuerContext): Promise<void> {
    const { issuer = context?.issuer, ...response } = saved;
    const { registration, signIn, tokens, sentAt } = this.#deps;
    const current = await this.#current();
    if (current?.accessToken !== saved.access_token) {
      const signedIn = tokenSetFromResponse(response, { sentAt: sentAt() ?? systemClock.now() });
      await (signIn ? signIn.complete(signedIn) : tokens.signIn(signedIn));
      this.#verifier = undefined;
    }
    if (issuer !== undefined) await registration.bind(issuer);
  }

  async redirectToAuthorization(authorizationUrl: URL): Promise<void> {
    const { onRedirect, signIn } = this.#deps;
    if (!onRedirect)
      throw new SignInRequiredError("no_session", undefined, {
        hint: "Send the requests of the transport with the `fetch` that mcpAuth returned along with this provider: it signs in.",
      });
    try {
      await onRedirect(authorizationUrl);
    } catch (error) {
      signIn?.cancel(error);
      throw error;
    }
  }

  saveCodeVerifier(codeVerifier: string): void {
    this.#verifier = codeVerifier;
  }

  codeVerifier(): string {
    if (this.#verifier !== undefined) return this.#verifier;
    throw new SignInFailedError("mismatched", {
      problem: "no sign-in is under way in this process",
      hint: "Pass the code to the process, and to the provider, that opened the page. If it has ended, sign in again.",
    });
  }

  /**
   * Never ends the session: the SDK calls this after a code was refused, or the client. A sign-in that is under way cannot
   * complete then, and is given up.
   */
  async invalidateCredentials(scope: "all" | "client" | "tokens" | "verifier" | "discovery"): Promise<void> {
    if (scope === "discovery" || scope === "all") this.#discovery = undefined;
    if (scope === "discovery") return;
    if (scope !== "tokens") this.#verifier = scope === "client" ? this.#verifier : undefined;
    if (scope === "client" || scope === "all") await this.#deps.registration.drop();
    this.#deps.signIn?.cancel(new SignInFailedError("rejected"));
  }

  saveDiscoveryState(state: DiscoveryState): void {
    this.#discovery = state;
  }

  discoveryState(): DiscoveryState | undefined {
    return this.#discovery;
  }
}
