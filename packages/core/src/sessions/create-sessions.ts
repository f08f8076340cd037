import * as z from "zod/mini";
import { managerOptions, parseOptions } from "../manager/options.ts";
import type { Clock, SignInOptions, SignOutOptions, SignOutResult, TokenSetInput } from "../types.ts";
import { checkOptions, functionSchema, type OptionTable } from "../util/check-options.ts";
import { describeType } from "../util/describe-type.ts";
import { SessionEvents } from "./events.ts";
import { Failures } from "./failures.ts";
import { LiveSessions } from "./live-sessions.ts";
import { type SessionHost, UserSession } from "./session.ts";
import { Sweep } from "./sweep.ts";
import type { KeepAliveOptions, Session, Sessions, SessionsEvent, SessionsOptions } from "./types.ts";

const DEFAULT_MAX_LIVE = 10_000;
const DEFAULT_IDLE_TIMEOUT = 5 * 60_000;

/**
 * Creates the sessions of a server's users: a token manager for each key, opened when the session is used, and closed when it
 * was idle for a while.
 *
 * @throws TypeError if an option is invalid; names the option and what is accepted
 */
export const createSessions = (options: SessionsOptions): Sessions =>
  new ManagedSessions(checkOptions("createSessions", optionTable, options));

const { keepAlive: _, ...sharedOptions } = managerOptions;
const positive = z.number().check(z.gt(0));

const optionTable = {
  ...sharedOptions,
  store: [functionSchema, "a function from a key to a TokenStore", "required"],
  list: [functionSchema, "a function that returns an iterable of keys"],
  maxLive: [positive, "a number above 0"],
  idleTimeout: [positive, "milliseconds above 0"],
  keepAlive: [
    z.union([z.boolean(), z.strictObject({ interval: z.optional(positive), perSecond: z.optional(positive) })]),
    "true, false or { interval?: milliseconds, perSecond?: number }",
  ],
} as const satisfies OptionTable & Record<keyof SessionsOptions, unknown>;

class ManagedSessions implements Sessions {
  readonly #list: SessionsOptions["list"];
  readonly #host: SessionHost;
  readonly #sweep: Sweep | undefined;

  constructor({ store, list, maxLive, idleTimeout, keepAlive = false, ...rest }: SessionsOptions) {
    this.#list = list;
    const settings = parseOptions(rest);
    const events = new SessionEvents();
    const failures = new Failures(events.announce);
    const live = new LiveSessions({
      settings,
      store,
      maxLive: maxLive ?? DEFAULT_MAX_LIVE,
      idleTimeout: idleTimeout ?? DEFAULT_IDLE_TIMEOUT,
      onEvent(key, event, access) {
        events.onEvent(key, event);
        failures.onEvent({ key, access }, event);
      },
    });
    this.#host = { live, events };
    if (keepAlive !== false) this.#sweep = this.#startSweep(keepAlive === true ? {} : keepAlive, settings.clock);
  }

  #startSweep({ interval, perSecond }: KeepAliveOptions, clock: Clock): Sweep {
    if (!this.#list) throw new TypeError("keepAlive: needs the option list, which returns the keys of all sessions.");
    const { live, events } = this.#host;
    return new Sweep({
      clock,
      interval,
      perSecond,
      list: () => this.list(),
      renewIfDue: (key) => live.runAside(key, (access) => access.renewIfDue()),
      onFailure: (message) => events.announce({ type: "keep-alive-failed", message }),
    });
  }

  get size(): number {
    return this.#host.live.size;
  }

  get(key: string): Session {
    if (typeof key === "string" && key !== "") return new UserSession(this.#host, key);
    throw new TypeError(`key: expected a non-empty string, not ${describeType(key)}.`);
  }

  async signIn(key: string, tokens: TokenSetInput, options?: SignInOptions): Promise<boolean> {
    return this.get(key).signIn(tokens, options);
  }

  async signOut(key: string, options?: SignOutOptions): Promise<SignOutResult> {
    return this.get(key).signOut(options);
  }

  async *list(): AsyncGenerator<string> {
    if (!this.#list) throw new TypeError("list(): these sessions have no option list, which returns the keys.");
    yield* this.#list();
  }

  subscribe(listener: (event: SessionsEvent) => void): () => void {
    return this.#host.events.add(listener);
  }

  async close(): Promise<void> {
    this.#sweep?.stop();
    await this.#host.live.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
