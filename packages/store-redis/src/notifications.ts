import type { Clock } from "@unexpired/core";

/** The calls by which a {@link Subscribe} function reports what happens on its connection. */
export interface SubscribeHandlers {
  /** Reports a message of the channel. */
  readonly onMessage: (message: string) => unknown;
  /** Reports that the subscription has started, each time that it does: earlier messages may have been missed. */
  readonly onReady: () => unknown;
  /**
   * Reports that the connection is lost, and that the client connects again by itself. Refreshes then wait until the
   * subscription has started again and the processes had time to restore what a failover may have undone.
   */
  readonly onDisconnect: () => unknown;
}

/**
 * Subscribes to a channel on a connection of its own, which connects again by itself, and must not keep the process alive.
 * Returns a function that ends this connection. If it throws, it is called again a second later.
 */
export type Subscribe = (channel: string, handlers: SubscribeHandlers) => (() => unknown) | Promise<() => unknown>;

/** Options of {@link Notifications}. */
export interface NotificationsOptions {
  readonly subscribe: Subscribe;
  readonly channel: string;
  /** In milliseconds. */
  readonly settleTime: number;
  readonly clock: Clock;
}

const SUBSCRIBE_AGAIN = 1_000; // ms
/** For how many settle times a refresh waits for a connection that is lost. */
const LONGEST_OUTAGE = 5;

/** One subscription for all stores of a server. It lasts from the first watcher to the last. */
export class Notifications {
  readonly #options: NotificationsOptions;
  /** By key. Arrays, because a session of a server has one watcher. */
  readonly #watchers = new Map<string, readonly (() => void)[]>();
  #stop = () => {};
  #settledAt = 0;

  constructor(options: NotificationsOptions) {
    this.#options = options;
  }

  /** Calls `onChange` when the session with that key may have changed, until the returned function is called. */
  watch(key: string, onChange: () => void): () => void {
    const watcher = () => onChange(); // its own identity, if a function watches twice
    if (this.#watchers.size === 0) this.#stop = this.#start();
    this.#watchers.set(key, this.#watchersOf(key).concat(watcher));
    return () => this.#unwatch(key, watcher);
  }

  #unwatch(key: string, watcher: () => void): void {
    const left = this.#watchersOf(key).filter((other) => other !== watcher);
    if (left.length > 0) this.#watchers.set(key, left);
    else if (this.#watchers.delete(key) && this.#watchers.size === 0) this.#stop();
  }

  #watchersOf(key: string): readonly (() => void)[] {
    return this.#watchers.get(key) ?? [];
  }

  /** Resolves when the settle time since the last reconnect has passed, at once if there was none. */
  async settled(): Promise<void> {
    const { clock, settleTime } = this.#options;
    for (;;) {
      const remaining = this.#settledAt - clock.monotonic();
      if (remaining <= 0) return;
      const delay = Math.min(remaining, settleTime); // after an outage, it may be over sooner
      await new Promise<void>((resolve) => clock.setTimer(resolve, delay, true));
    }
  }

  #start(): () => void {
    const { subscribe, channel, clock } = this.#options;
    const subscription = { isOpen: true, hasStarted: false };
    const handlers = this.#handlers(subscription);
    const stop = keepSubscribed(() => subscribe(channel, handlers), clock);
    return () => {
      subscription.isOpen = false; // whatever is left of it reaches no watcher
      stop();
    };
  }

  #handlers(subscription: { readonly isOpen: boolean; hasStarted: boolean }): SubscribeHandlers {
    return {
      onMessage: (key) => subscription.isOpen && notify(this.#watchers.get(key) ?? []),
      onReady: () => {
        if (!subscription.isOpen) return;
        if (subscription.hasStarted) this.#unsettle(1);
        subscription.hasStarted = true;
        notify([...this.#watchers.values()].flatMap((watchers) => [...watchers]));
      },
      onDisconnect: () => {
        if (subscription.isOpen && subscription.hasStarted) this.#unsettle(LONGEST_OUTAGE);
      },
    };
  }

  #unsettle(times: number): void {
    const { clock, settleTime } = this.#options;
    this.#settledAt = clock.monotonic() + times * settleTime;
  }
}

function notify(watchers: Iterable<() => void>): void {
  for (const watcher of [...watchers]) watcher();
}

/** Subscribes until the returned function is called, again if it fails. Ends each subscription exactly once. */
function keepSubscribed(subscribe: () => ReturnType<Subscribe>, clock: Clock): () => void {
  let isOpen = true;
  let end: (() => unknown) | undefined;
  const start = async () => {
    await undefined; // `subscribe` may call its handlers at once, but not before watch() has returned
    if (!isOpen) return;
    end = await subscribe();
    if (!isOpen) await end();
  };
  const attempt = () => {
    start().catch(() => {
      end = clock.setTimer(attempt, SUBSCRIBE_AGAIN, false);
    });
  };
  attempt();
  return () => {
    isOpen = false;
    const stop = async () => end?.();
    stop().catch(() => {}); // it is lost anyway
  };
}
