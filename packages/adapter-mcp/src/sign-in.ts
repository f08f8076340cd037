import type { TokenManager, TokenSetInput } from "@unexpired/core";
import { abortable } from "@unexpired/core/adapter";
import { type Demand, unionOf } from "./challenge.ts";
import type { Discovery, Found } from "./discovery.ts";
import type { CurrentClient, Registration } from "./registration.ts";
import type { McpSignInContext } from "./sign-in-context.ts";

export interface SignInDeps {
  readonly tokens: TokenManager;
  readonly discovery: Discovery;
  readonly registration: Registration;
  readonly fetch: typeof fetch;
  readonly allowInsecure: boolean | undefined;
  /** The scope of the client's metadata. */
  readonly scope: string | undefined;
  /** Whether the client may refresh its tokens. */
  readonly mayRefresh: boolean;
  /** Absent: the SDK signs in. */
  readonly signIn: ((context: McpSignInContext) => Promise<TokenSetInput>) | undefined;
}

/** A request that needs a sign-in. */
export interface Occasion {
  readonly demand: Demand;
  /** The access token that the server has found insufficient. */
  readonly insufficient: string | undefined;
  readonly signal: AbortSignal | null | undefined;
}

/**
 * `handed`: the SDK has to sign in, and this process holds the claim. `signed-in`: the user was asked. `adopted`: another process
 * or another request has signed in.
 */
export type Outcome = "handed" | "signed-in" | "adopted";

/** A sign-in of the SDK that is under way. */
interface Pending {
  readonly resolve: (tokens: TokenSetInput) => void;
  readonly reject: (reason: unknown) => void;
  readonly done: Promise<unknown>;
}

/** Signs in once for all processes, with the flow of the program or that of the SDK. */
export class SignIn {
  readonly #deps: SignInDeps;
  #pending: Pending | undefined;
  /** The scope that was requested last, for servers that do not tell what they granted. */
  #requested: string | undefined;

  constructor(deps: SignInDeps) {
    this.#deps = deps;
  }

  /**
   * Signs in, or waits for the process that does. A caller that aborts leaves; a flow that has begun goes on.
   *
   * @throws the errors of `signInWith`, and those of the discovery and the registration
   */
  request(occasion: Occasion): Promise<Outcome> {
    const { tokens } = this.#deps;
    const { insufficient, signal } = occasion;
    const controller = new AbortController();
    const requested = new Promise<Outcome>((resolve, reject) => {
      let isBegun = false;
      const leave = () => isBegun || controller.abort(signal?.reason);
      signal?.addEventListener("abort", leave, { once: true });
      if (signal?.aborted) leave();
      const flow = (context: { readonly signal: AbortSignal }) => {
        isBegun = true;
        return this.#run(occasion, context.signal, (pending) => {
          this.#pending = { ...pending, done };
          resolve("handed");
        });
      };
      const done = tokens.signInWith(flow, { insufficient, signal: controller.signal });
      done
        .then((ran) => resolve(ran ? "signed-in" : "adopted"), reject)
        .finally(() => {
          if (this.#pending?.done === done) this.#pending = undefined;
        });
    });
    return signal ? abortable(requested, signal) : requested;
  }

  /** Runs the flow of the program, or hands over to the SDK and waits for its tokens. */
  async #run(
    { demand }: Occasion,
    signal: AbortSignal,
    hand: (pending: Omit<Pending, "done">) => void,
  ): Promise<TokenSetInput> {
    const { discovery, registration, signIn } = this.#deps;
    const found = await discovery.load(demand.metadataUrl, signal);
    const client = await registration.obtain(found, signal);
    if (!signIn) return new Promise((resolve, reject) => hand({ resolve, reject }));
    this.#requested = await this.scopeFor(demand);
    try {
      return await signIn(this.#contextOf(found, client, signal));
    } catch (error) {
      await registration.dropIfRejected(error);
      throw error;
    }
  }

  /** Returns the scope to request: for a token with more rights, also what the session has already. */
  async scopeFor({ kind, scope }: Demand): Promise<string | undefined> {
    const { discovery, tokens, mayRefresh } = this.#deps;
    const { scopes, server } = discovery.found ?? {};
    const granted = kind === "scope" ? ((await tokens.peek())?.scope ?? this.#requested) : undefined;
    const wanted = unionOf(granted, scope ?? scopes ?? this.#deps.scope);
    const listed: unknown = server?.metadata.scopes_supported;
    const isOffered = Array.isArray(listed) && listed.includes("offline_access");
    return wanted !== undefined && isOffered && mayRefresh ? unionOf(wanted, "offline_access") : wanted;
  }

  #contextOf({ server, resource }: Found, client: CurrentClient, signal: AbortSignal): McpSignInContext {
    const { fetch, allowInsecure } = this.#deps;
    const scope = this.#requested;
    const { clientId, clientAuth, redirectUri } = client;
    const isOffline = scope?.split(" ").includes("offline_access") === true;
    const context = {
      issuer: server,
      clientId,
      clientAuth,
      ...(scope !== undefined && { scope }),
      ...(resource !== undefined && { resource }),
      ...(redirectUri !== undefined && { redirectUri }),
      ...(isOffline && { parameters: { prompt: "consent" } }),
      fetch,
      ...(allowInsecure !== undefined && { allowInsecure }),
    };
    return Object.defineProperty(context as typeof context & { readonly signal: AbortSignal }, "signal", {
      value: signal,
    });
  }

  /** Stores the tokens with which a sign-in of the SDK has ended. */
  async complete(tokens: TokenSetInput): Promise<void> {
    const pending = this.#pending;
    if (!pending) {
      await this.#deps.tokens.signIn(tokens);
      return;
    }
    pending.resolve(tokens);
    await pending.done;
  }

  /** Ends a sign-in of the SDK that cannot complete, so that the next request may begin another one. */
  cancel(reason: unknown): void {
    this.#pending?.reject(reason);
  }
}
