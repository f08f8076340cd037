import * as z from "zod/mini";
import { memoryStore } from "../stores/memory-store.ts";
import { genericProvider } from "../token-endpoint/providers.ts";
import { accountOf, secretsOf } from "../tokens/token-set.ts";
import type { Clock, ProviderProfile, RefreshFunction, TokenManagerOptions, TokenSet, TokenStore } from "../types.ts";
import { checkOptions, deadline, func, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { typeOf } from "../util/describe-type.ts";
import { redact } from "../util/redact.ts";
import type { Rules } from "./session.ts";

const DEFAULT_WINDOW = 5 * 60_000;

const duration = z.custom<number>((value) => typeof value === "number" && value >= 0); // also Infinity
const methods = (names: readonly string[], schema: z.ZodMiniType) =>
  z.looseObject(Object.fromEntries(names.map((name) => [name, schema])));

const refreshFunction = z.custom<RefreshFunction>(
  (value) => typeof value === "function" && z.optional(deadline).safeParse(Reflect.get(value, "timeout")).success,
);

const managerOptions = {
  store: [
    methods(["load", "save", "remove", "describe"], func).check(
      z.refine(({ watch, holder }) => z.optional(func).safeParse(watch).success && isHolder(holder)),
    ),
    "a TokenStore, such as fileStore({ path })",
  ],
  refresh: [
    refreshFunction,
    "a function, such as oauth2Refresh({ tokenEndpoint, clientId }); its timeout, if any, in milliseconds above 0",
  ],
  refreshWindow: [duration, "milliseconds, 0 or more"],
  background: [z.boolean(), "true or false"],
  provider: [
    z.strictObject({
      rotation: z.optional(z.boolean()),
      graceSeconds: z.optional(duration),
      replayReturns: z.optional(z.enum(["same", "new"])),
      afterLoss: z.optional(z.enum(["retry", "sign-in"])),
      terminalCodes: z.optional(z.array(z.string())),
    }),
    '{ rotation?: boolean, graceSeconds?: number, replayReturns?: "same" | "new", afterLoss?: "retry" | "sign-in", terminalCodes?: string[] }',
  ],
  account: [func, "a function from a TokenSet to a string"],
  whenUnreachable: [z.enum(["throw", "stale"]), '"throw" or "stale"'],
  clock: [
    methods(["now", "monotonic", "setTimer", "random"], z.optional(func)),
    "{ now?, monotonic?, setTimer?, random? }, functions all",
  ],
} as const satisfies OptionTable & Record<keyof TokenManagerOptions, unknown>;

const isHolder = (holder: unknown): boolean =>
  z.optional(z.looseObject({ id: z.string(), isGone: func })).safeParse(holder).success;

/** The options of a manager, checked and completed. */
export interface Settings {
  readonly store: TokenStore;
  readonly refresh: RefreshFunction | undefined;
  readonly rules: Rules;
  readonly profile: ProviderProfile;
  readonly account: (tokens: TokenSet) => string | undefined;
  readonly clock: Clock;
}

/** @throws TypeError which names the option, the type of what was given, and what is accepted */
export function parseOptions(given: TokenManagerOptions): Settings {
  checkOptions("createTokenManager", managerOptions, given);
  return {
    store: given.store ?? memoryStore(),
    refresh: given.refresh,
    rules: {
      canRefresh: given.refresh !== undefined,
      refreshWindow: given.refreshWindow ?? DEFAULT_WINDOW,
      background: given.background ?? true,
      staleAllowed: given.whenUnreachable === "stale",
    },
    profile: { ...genericProvider, ...withoutUndefined(given.provider) },
    account: given.account ? checkedAccount(given.account) : accountOf,
    clock: completeClock(given.clock ?? {}),
  };
}

const withoutUndefined = <T extends object>(given: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;

/** What it returns is stored, and compared with what was. */
const checkedAccount =
  (account: (tokens: TokenSet) => string | undefined) =>
  (tokens: TokenSet): string | undefined => {
    const name: unknown = callAccount(account, tokens);
    if (name === undefined || typeof name === "string") return name;
    throw new TypeError(`account: expected to return a string or undefined, not ${typeOf(name)}.`);
  };

function callAccount(account: (tokens: TokenSet) => unknown, tokens: TokenSet): unknown {
  try {
    return account(tokens);
  } catch (error) {
    throw accountError(redact(error, secretsOf(tokens)));
  }
}

const accountError = (cause: Error): TypeError =>
  new TypeError("account: the function threw; see the cause.", { cause });
