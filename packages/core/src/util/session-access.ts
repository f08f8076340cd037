import type { DeadReason, TokenSet, TokenSource } from "../types.ts";

/** The session of a token manager, as far as the manager knows. */
export interface SessionView {
  /** Identifies the session from its sign-in on: a refresh does not change it. `undefined` without a session. */
  readonly session: string | undefined;
  readonly tokens: TokenSet | undefined;
  /** The reason why there is no usable token and none can be obtained. */
  readonly reason: DeadReason | undefined;
}

/** The access of a pool, or of the sessions of a server, to a token manager's session. Nothing of it refreshes the session. */
export interface SessionAccess {
  /** Returns the session, or `undefined` before it was first loaded. */
  view(): SessionView | undefined;
  /** Loads the session. Rejects if it cannot be read. */
  load(): Promise<void>;
  /** Loads the session in the background, if that is needed to notice changes. */
  look(): void;
  /** Whether nothing is running, and nothing is left to be saved. */
  isIdle(): boolean;
  /** Loads the session, and renews it if its refresh token is about to expire. Rejects if either fails. */
  renewIfDue(): Promise<void>;
}

/** The key of the access, also in other copies of this package. */
export const SESSION_ACCESS = Symbol.for("unexpired.session-access.1");

/** Returns the access to a source's session; `undefined` if the source is not a token manager. */
export const sessionAccessOf = (source: TokenSource): SessionAccess | undefined => Reflect.get(source, SESSION_ACCESS);
