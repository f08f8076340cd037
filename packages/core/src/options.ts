import * as z from "zod/mini";
import { systemClock } from "./clock.ts";
import { memoryStore } from "./memory-store.ts";
import { genericProvider } from "./providers.ts";
import { redact } from "./redact.ts";
import type { Rules } from "./session.ts";
import { accountOf, secretsOf } from "./token-set.ts";
import { typeOf } from "./type-of.ts";
import type { Clock, ProviderProfile, RefreshFunction, TokenManagerOptions, TokenSet, TokenStore } from "./types.ts";

const DEFAULT_WINDOW = 5 * 60_000;

/** For each option what it must be, and how to say that. */
export type OptionTable = Readonly<Record<string, readonly [z.ZodMiniType, string, "required"?]>>;

export const func = z.custom<(...parameters: never[]) => unknown>((value) => typeof value === "function");
const duration = z.custom<number>((value) => typeof value === "number" && value >= 0); // also Infinity
const methods = (names: readonly string[], schema: z.ZodMiniType) =>
  z.looseObject(Object.fromEntries(names.map((name) => [name, schema])));

/** A deadline in milliseconds: above 0, and finite. */
export const deadline = z.number().check(z.gt(0));
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

/** @throws TypeError which names the option, the type of what was given, and what is accepted */
export function checkOptions(what: string, table: OptionTable, given: object): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new TypeError(`${what}: expected an object of options, not ${typeOf(given)}.`);
  }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (unknown !== undefined) {
    throw new TypeError(`${unknown}: there is no such option. There are ${Object.keys(table).join(", ")}.`);
  }
  for (const [name, [schema, accepted, required]] of Object.entries(table)) {
    const value: unknown = Reflect.get(given, name);
    const isGood = value === undefined ? !required : schema.safeParse(value).success;
    if (!isGood) throw new TypeError(`${name}: expected ${accepted}, not ${typeOf(value)}.`);
  }
}

const withoutUndefined = <T extends object>(given: T | undefined): Partial<T> =>
  Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as Partial<T>;

/** Each function bound to its clock, which may be an instance of a class. */
const completeClock = (given: Partial<Clock>): Clock => ({
  now: given.now?.bind(given) ?? systemClock.now,
  monotonic: given.monotonic?.bind(given) ?? systemClock.monotonic,
  setTimer: given.setTimer?.bind(given) ?? systemClock.setTimer,
  random: given.random?.bind(given) ?? systemClock.random,
});

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
