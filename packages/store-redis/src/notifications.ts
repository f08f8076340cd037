import type { Clock } from "@unexpired/core";
import { systemClock } from "@unexpired/core/adapter";

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

const SUBSCRIBE_AGAIN = 1_000; // ms
/** How long a refresh waits for a lost connection, in units of the settle time. */
const LONGEST_OUTAGE = 5;

export interface NotificationsOptions {
  readonly subscribe: Subscribe;
  readonly channel: string;
  readonly settleTime: number;
  readonly clock?: Pick<Clock, "monotonic" | "setTimer"> | undefined;
}

/** One subscription for all stores of a server. It lasts from the first watcher to the last. */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #clock: Pick<Clock, "monotonic" | "setTimer">;
  readonly #watchers = new Map<string, Set<() => void>>();
  #stop = () => {};
  #settledAt = 0;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  watch(key: string, onChange: () => void): () => void {
    const watchers = this.#watchers.get(key) ?? new Set();
    const watcher = () => onChange(); // its own identity, if a function watches twice
    if (this.#watchers.size === 0) this.#stop = this.#start();
    this.#watchers.set(key, watchers.add(watcher));
    return () => {
      if (!watchers.delete(watcher) || watchers.size > 0) return;
      this.#watchers.delete(key);
      if (this.#watchers.size === 0) this.#stop();
    };
  }

  /** Resolves when the settle time since the last reconnect has passed, at once if there was none. */
  async settled(): Promise<void> {
    for (;;) {
      const remaining = this.#settledAt - this.#clock.monotonic();
      if (!(remaining > 0)) return;
      const delay = Math.min(remaining, this.#options.settleTime);
      await new Promise<void>((resolve) => this.#clock.setTimer(resolve, delay, true));
    }
  }

  #start(): () => void {
    const { subscribe, channel } = this.#options;
    let isOpen = true;
    const stop = keepSubscribed(
      () =>
        subscribe(
          channel,
          this.#handlers(() => isOpen),
        ),
      this.#clock,
    );
    return () => {
      isOpen = false;
      stop();
    };
  }

  #handlers(isOpen: () => boolean): SubscribeHandlers {
    let hasStarted = false;
    return {
      onMessage: (key) => isOpen() && notify(this.#watchers.get(key) ?? []),
      onReady: () => {
        if (!isOpen()) return;
        if (hasStarted) this.#unsettle(1);
        hasStarted = true;
        notify([...this.#watchers.values()].flatMap((watchers) => [...watchers]));
      },
      onDisconnect: () => {
        if (isOpen() && hasStarted) this.#unsettle(LONGEST_OUTAGE);
      },
    };
  }

  #unsettle(times: number): void {
    this.#settledAt = this.#clock.monotonic() + times * this.#options.settleTime;
  }
}

function notify(watchers: Iterable<() => void>): void {
  for (const watcher of [...watchers]) watcher();
}

/** Subscribes until the returned function is called, again if it fails. */
function keepSubscribed(subscribe: () => ReturnType<Subscribe>, clock: Pick<Clock, "setTimer">): () => void {
  let isOpen = true;
  let stop: (() => unknown) | undefined;
  const start = async () => {
    const end = await subscribe();
    if (isOpen) stop = end;
    else await end();
  };
  const attempt = () => {
    start().catch(() => {
      if (isOpen) stop = clock.setTimer(attempt, SUBSCRIBE_AGAIN, false);
    });
  };
  attempt();
  return () => {
    isOpen = false;
    const end = async () => stop?.();
    end().catch(() => {}); // whatever is left of it reaches no watcher
    stop = undefined;
  };
}
