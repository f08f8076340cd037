import * as z from "zod/mini";
import { memoryStore } from "../stores/memory-store.ts";
import { genericProvider } from "../token-endpoint/providers.ts";
import { accountOf, secretsOf } from "../tokens/token-set.ts";
import type {
  Clock,
  ProviderProfile,
  RefreshFunction,
  SessionEvent,
  TokenManagerOptions,
  TokenSet,
  TokenStore,
} from "../types.ts";
import {
  checkOptions,
  durationSchema as duration,
  functionSchema,
  type OptionTable,
  TIMEOUT,
  timeoutSchema,
} from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { describeType } from "../util/describe-type.ts";
import { redact } from "../util/redact.ts";
import { storeOption } from "../util/store-option.ts";
import type { Rules } from "./session.ts";

const DEFAULT_STALENESS = 5_000;
const DEFAULT_WINDOW = 5 * 60_000;

const members = (names: readonly string[], schema: z.ZodMiniType) =>
  Object.fromEntries(names.map((name) => [name, schema]));

const text = z.string().check(z.minLength(1));
/** A pattern without members would match every response. */
const pattern = z.union([
  text,
  z
    .strictObject({
      error: z.optional(z.nullable(text)),
      status: z.optional(z.number()),
      description: z.optional(text),
    })
    .check(z.refine((members) => Object.values(members).some((member) => member !== undefined))),
]);

export const managerOptions = {
  store: storeOption,
  refresh: [functionSchema, "a function, such as oauth2Refresh({ tokenEndpoint, clientId })"],
  refreshWindow: [duration, "milliseconds, 0 or more"],
  background: [z.boolean(), "true or false"],
  provider: [
    z.strictObject({
      rotation: z.optional(z.boolean()),
      graceSeconds: z.optional(duration),
      replayReturns: z.optional(z.enum(["same", "new"])),
      afterLoss: z.optional(z.enum(["retry", "sign-in"])),
      ...members(["terminal", "interaction", "misconfigured", "transient", "lost"], z.optional(z.array(pattern))),
    }),
    '{ rotation?: boolean, graceSeconds?: number, replayReturns?: "same" | "new", afterLoss?: "retry" | "sign-in", terminal?, interaction?, misconfigured?, transient?, lost? }, the last five with error codes or { error?, status?, description? }',
  ],
  account: [functionSchema, "a function from a TokenSet to a string"],
  staleIfError: [z.boolean(), "true or false"],
  keepAlive: [z.boolean(), "true or false"],
  refreshTokenLifetime: [duration, "milliseconds, 0 or more"],
  maxStaleness: [duration, "a number of milliseconds, or Infinity"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof TokenManagerOptions, unknown>;

const refreshOptions = { "refresh.timeout": [timeoutSchema, TIMEOUT] } as const satisfies OptionTable;

/** The validated options of a manager, with defaults applied. */
export interface Settings {
  readonly store: TokenStore;
  readonly refresh: RefreshFunction | undefined;
  readonly rules: Rules;
  /** Whether to renew the session before its refresh token expires. */
  readonly keepAlive: boolean;
  readonly profile: ProviderProfile;
  readonly accountOf: (tokens: TokenSet) => string | undefined;
  readonly clock: Clock;
  /** Called with every event of the manager. Must not throw. */
  readonly onEvent?: (event: SessionEvent) => void;
}

/**
 * Validates the options and applies the defaults.
 *
 * @throws TypeError that names the option, what is accepted, and what was passed: a number, or the type of another value
 */
export function parseOptions(options: TokenManagerOptions): Settings {
  const given = checkOptions("createTokenManager", managerOptions, options);
  checkOptions("createTokenManager", refreshOptions, { "refresh.timeout": given.refresh?.timeout });
  return {
    store: given.store ?? memoryStore(),
    refresh: given.refresh,
    rules: {
      canRefresh: given.refresh !== undefined,
      refreshWindow: given.refreshWindow ?? DEFAULT_WINDOW,
      background: given.background ?? true,
      staleIfError: given.staleIfError ?? false,
      maxStaleness: given.maxStaleness ?? DEFAULT_STALENESS,
      refreshTokenLifetime: given.refreshTokenLifetime,
    },
    keepAlive: given.keepAlive ?? false,
    profile: { ...genericProvider, ...withoutUndefined(given.provider) },
    accountOf: given.account ? checkedAccount(given.account) : accountOf,
    clock: completeClock(given.clock ?? {}),
  };
}

/** Returns whether the manager learns of every change in the store: it is notified, or makes all of them itself. */
export const isNotified = (store: TokenStore): boolean =>
  store.watch !== undefined || store.supports.compareAndSet === "process";

const withoutUndefined = <T extends object>(given: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;

/** Checks what the `account` option returns, because it is stored and compared with stored values. */
function checkedAccount(account: (tokens: TokenSet) => string | undefined) {
  let isRunning = false;
  return (tokens: TokenSet): string | undefined => {
    if (isRunning)
      throw new TypeError("account: the function called signIn(), which calls it again. Do not sign in there.");
    isRunning = true;
    try {
      const name: unknown = callAccount(account, tokens);
      if (name === undefined || typeof name === "string") return name;
      throw new TypeError(`account: expected to return a string or undefined, not ${describeType(name)}.`);
    } finally {
      isRunning = false;
    }
  };
}

function callAccount(account: (tokens: TokenSet) => unknown, tokens: TokenSet): unknown {
  try {
    return account(tokens);
  } catch (error) {
    throw accountError(redact(error, secretsOf(tokens)));
  }
}

const accountError = (cause: Error): TypeError =>
  new TypeError("account: the function threw an error. See its cause.", { cause });
