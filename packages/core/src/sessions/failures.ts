import type { DeadReason, SessionEvent, SessionState } from "../types.ts";
import type { SessionAccess } from "../util/session-access.ts";
import type { SessionsEvent } from "./types.ts";

/** Reasons that are no failure: there was no session, or the user has ended it. */
const EXPECTED: readonly DeadReason[] = ["no_session", "signed_out"];

/** Notices when a session fails, and when it is alive again. Remembers only the keys of sessions that are not alive. */
export class Failures {
  /** The keys of failed sessions. */
  readonly #failed = new Set<string>();
  /** The sessions that this process has seen alive, as far as they are in memory. */
  readonly #alive = new WeakSet<SessionAccess>();
  readonly #announce: (event: SessionsEvent) => void;

  constructor(announce: (event: SessionsEvent) => void) {
    this.#announce = announce;
  }

  onEvent({ key, access }: Source, event: SessionEvent): void {
    if (event.type !== "state-changed") return;
    const reason = reasonOf(event.state);
    const session = access.view()?.session ?? "";
    if (reason === undefined) {
      this.#alive.add(access);
      if (this.#failed.delete(key)) this.#announce({ type: "session-recovered", key, session });
      return;
    }
    const wasAlive = this.#alive.delete(access);
    if (EXPECTED.includes(reason)) return void this.#failed.delete(key);
    this.#failed.add(key);
    const { cause } = event;
    if (wasAlive) this.#announce({ type: "session-failed", key, session, reason, ...(cause && { cause }) });
  }
}

/** A session in memory. */
interface Source {
  readonly key: string;
  readonly access: SessionAccess;
}

/** Returns the reason why the user has to sign in, now or once the access token has expired. */
const reasonOf = (state: SessionState): DeadReason | undefined => ("reason" in state ? state.reason : undefined);
