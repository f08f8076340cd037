import { systemClock } from "@unexpired/core/adapter";

/** The calls by which a {@link Listen} function reports what happens on its connection. */
export interface ListenHandlers {
  /** Reports the payload of a notification. */
  readonly onMessage: (payload: string) => unknown;
  /** Reports that listening has started, each time that it does: earlier notifications may have been missed. */
  readonly onReady: () => unknown;
  /**
   * Reports that the connection is lost, or could not be opened: the returned function is called, and one second later
   * `listen` again. Not for clients that connect again by themselves.
   */
  readonly onClose: () => void;
}

/**
 * Listens to a channel through a direct connection to the primary server, not through a pooler in transaction mode. Returns a
 * function that ends this connection.
 */
export type Listen = (channel: string, handlers: ListenHandlers) => (() => unknown) | Promise<() => unknown>;

/** Options of {@link postgresNotifications}. */
export interface PostgresNotificationsOptions {
  /** Listens to a channel. See {@link Listen}. */
  readonly listen: Listen;
  /** The channel, the same in all processes: lower-case letters, digits and underscores. Default `unexpired_sessions`. */
  readonly channel?: string | undefined;
}

/** One connection that listens for all stores of a process. Pass it to each as the option `notifications`. */
export interface PostgresNotifications {
  /** The channel to which saves are notified. */
  readonly channel: string;
  /** Calls `onChange` when the session with that key may have changed, until the returned function is called. */
  watch(key: string, onChange: () => void): () => void;
}

const DEFAULT_CHANNEL = "unexpired_sessions";
const LISTEN_AGAIN = 1_000; // ms

/**
 * Creates notifications between the stores of several processes, by `LISTEN` and `NOTIFY`. Connects when the first store is
 * watched, and disconnects when none is any more.
 *
 * @throws TypeError if an option is invalid
 */
export function postgresNotifications(options: PostgresNotificationsOptions): PostgresNotifications {
  const { listen, channel = DEFAULT_CHANNEL } = options;
  if (typeof listen !== "function") throw new TypeError('"listen" must be a function.');
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(channel))
    throw new TypeError('"channel" must consist of up to 63 lower-case letters, digits and underscores.');
  return new Notifications(listen, channel);
}

class Notifications implements PostgresNotifications {
  readonly channel: string;
  readonly #listen: Listen;
  readonly #watchers = new Map<string, Set<() => void>>();
  #stop = () => {};

  constructor(listen: Listen, channel: string) {
    this.#listen = listen;
    this.channel = channel;
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

  #start(): () => void {
    return keepListening(this.#listen, this.channel, {
      onMessage: (key) => notify(this.#watchers.get(key) ?? []),
      onReady: () => notify([...this.#watchers.values()].flatMap((watchers) => [...watchers])),
    });
  }
}

function notify(watchers: Iterable<() => void>): void {
  for (const watcher of [...watchers]) watcher();
}

/** Listens until the returned function is called, again after each loss of the connection. */
function keepListening(listen: Listen, channel: string, handlers: Omit<ListenHandlers, "onClose">): () => void {
  let stop = () => {};
  const onClose = () => {
    stop = systemClock.setTimer(start, LISTEN_AGAIN, false);
  };
  const start = () => {
    stop = connect(listen, channel, { ...handlers, onClose });
  };
  start();
  return () => stop();
}

/** Listens on one connection until it is lost, or the returned function is called. Ends it exactly once. */
function connect(listen: Listen, channel: string, { onMessage, onReady, onClose }: ListenHandlers): () => void {
  let isOpen = true;
  let disconnect: (() => unknown) | undefined;
  const close = async () => {
    isOpen = false;
    await disconnect?.();
  };
  const lose = () => {
    if (!isOpen) return;
    close().catch(() => {}); // it is lost anyway
    onClose();
  };
  const open = async () => {
    disconnect = await listen(channel, {
      onMessage: (payload) => isOpen && onMessage(payload),
      onReady: () => isOpen && onReady(),
      onClose: lose,
    });
    if (!isOpen) await disconnect();
  };
  Promise.resolve().then(open).catch(lose);
  return () => {
    if (isOpen) close().catch(() => {}); // whatever is left of it sends nothing to a watcher
  };
}
