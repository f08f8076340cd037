import type { SessionEvent } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { Listeners } from "../util/listeners.ts";
import type { SessionsEvent } from "./types.ts";

/** The listeners to all sessions, and those to single ones, which stay while a session is idle. */
export class SessionEvents {
  readonly #all = new Listeners<[SessionsEvent]>();
  readonly #byKey = new Map<string, Listeners<[SessionEvent]>>();

  /** @throws TypeError */
  add(listener: (event: SessionsEvent) => void): () => void {
    return this.#all.add(checkListener(listener));
  }

  /** @throws TypeError */
  addFor(key: string, listener: (event: SessionEvent) => void): () => void {
    const listeners = this.#byKey.get(key) ?? new Listeners<[SessionEvent]>();
    const remove = listeners.add(checkListener(listener));
    this.#byKey.set(key, listeners);
    return () => {
      remove();
      if (listeners.size === 0 && this.#byKey.get(key) === listeners) this.#byKey.delete(key);
    };
  }

  /** Passes on an event of one session. */
  onEvent(key: string, event: SessionEvent): void {
    this.#byKey.get(key)?.call(event);
    if (this.#all.size > 0) this.#all.call({ ...event, key });
  }

  readonly announce = (event: SessionsEvent): void => this.#all.call(event);
}

function checkListener<T>(listener: T): T {
  if (typeof listener === "function") return listener;
  throw new TypeError(`listener: expected a function, not ${describeType(listener)}.`);
}
