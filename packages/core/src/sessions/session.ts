import type {
  CallOptions,
  GetTokenOptions,
  ParsedTokens,
  RejectionOptions,
  SessionEvent,
  SessionInfo,
  SessionState,
  SignInFlow,
  SignInOptions,
  SignInWithOptions,
  SignOutOptions,
  SignOutResult,
  TokenManager,
  TokenSet,
  TokenSetInput,
} from "../types.ts";
import { SOURCE_STATUS, type SourceStatus } from "../util/token-source.ts";
import type { SessionEvents } from "./events.ts";
import type { LiveSessions } from "./live-sessions.ts";
import type { Session } from "./types.ts";

/** The parts of `createSessions` that a session uses. */
export interface SessionHost {
  readonly live: LiveSessions;
  readonly events: SessionEvents;
}

/** A key and what it belongs to: everything else is opened when it is used. */
export class UserSession implements Session {
  readonly #host: SessionHost;
  readonly #key: string;

  constructor(host: SessionHost, key: string) {
    this.#host = host;
    this.#key = key;
  }

  #run<T>(call: (manager: TokenManager) => Promise<T>): Promise<T> {
    return this.#host.live.run(this.#key, call);
  }

  getAccessToken(options?: GetTokenOptions): Promise<string> {
    return this.#run((manager) => manager.getAccessToken(options));
  }

  getTokenSet(options?: GetTokenOptions): Promise<TokenSet> {
    return this.#run((manager) => manager.getTokenSet(options));
  }

  refresh(options?: CallOptions): Promise<TokenSet> {
    return this.#run((manager) => manager.refresh(options));
  }

  replaceRejected(accessToken: string, options?: RejectionOptions): Promise<string> {
    return this.#run((manager) => manager.replaceRejected(accessToken, options));
  }

  signIn(tokens: TokenSetInput, options?: SignInOptions): Promise<boolean> {
    return this.#run((manager) => manager.signIn(tokens, options));
  }

  signInWith(flow: SignInFlow, options?: SignInWithOptions): Promise<boolean> {
    return this.#run((manager) => manager.signInWith(flow, options));
  }

  adopt(tokens: TokenSetInput | ParsedTokens): Promise<boolean> {
    return this.#run((manager) => manager.adopt(tokens));
  }

  signOut(options?: SignOutOptions): Promise<SignOutResult> {
    return this.#run((manager) => manager.signOut(options));
  }

  peek(): Promise<SessionInfo | undefined> {
    return this.#run((manager) => manager.peek());
  }

  hasSession(): Promise<boolean> {
    return this.#run((manager) => manager.hasSession());
  }

  get state(): SessionState | undefined {
    return this.#host.live.peek(this.#key)?.state;
  }

  source(): string | undefined {
    return this.#host.live.open(this.#key).source();
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    return this.#host.events.addFor(this.#key, listener);
  }

  get [SOURCE_STATUS](): SourceStatus {
    return this.#host.live.isClosed ? "closed" : "open";
  }
}
