import * as z from "zod/mini";
import { systemClock } from "./clock.ts";
import type { Rules } from "./machine.ts";
import { memoryStore } from "./memory-store.ts";
import { genericProvider } from "./providers.ts";
import { accountOf } from "./token-set.ts";
import type {
  Clock,
  ProviderProfile,
  RefreshFunction,
  TokenManagerOptions,
  TokenSet,
  TokenStore,
} from "./types.ts";

const DEFAULT_WINDOW = 5 * 60_000;

const func = z.custom<(...parameters: never[]) => unknown>((value) => typeof value === "function");
const duration = z.number().check(z.gte(0));

/** Each option: what it must be, and how to say that. */
const options = {
  store: [z.looseObject({ load: func, save: func, remove: func, describe: func }), "a TokenStore, such as fileStore({ path })"],
  refresh: [func, "a function, such as oauth2Refresh({ tokenEndpoint, clientId })"],
  refreshWindow: [duration, "milliseconds, 0 or more"],
  background: [z.boolean(), "true or false"],
  provider: [
    z.strictObject({
      rotation: z.optional(z.boolean()),
      graceSeconds: z.optional(duration),
      afterLoss: z.optional(z.enum(["retry", "sign-in"])),
      terminalCodes: z.optional(z.array(z.string())),
    }),
    "{ rotation?: boolean, graceSeconds?: number, afterLoss?: \"retry\" | \"sign-in\", terminalCodes?: string[] }",
  ],
  account: [func, "a function from a TokenSet to a string"],
  whenUnreachable: [z.enum(["throw", "stale"]), "\"throw\" or \"stale\""],
  clock: [
    z.looseObject({ now: z.optional(func), monotonic: z.optional(func), setTimer: z.optional(func), random: z.optional(func) }),
    "{ now?, monotonic?, setTimer?, random? }, functions all",
  ],
} as const satisfies Record<keyof TokenManagerOptions, readonly [z.ZodMiniType, string]>;

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
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`createTokenManager: expected an object of options, not ${typeOf(given)}.`);
  }
  for (const [name, value] of Object.entries(given)) checkOption(name, value);
  return {
    store: given.store ?? memoryStore(),
    refresh: given.refresh,
    rules: {
      canRefresh: given.refresh !== undefined,
      refreshWindow: given.refreshWindow ?? DEFAULT_WINDOW,
      background: given.background ?? true,
      staleAllowed: given.whenUnreachable === "stale",
    },
    profile: { ...genericProvider, ...given.provider },
    account: given.account ?? accountOf,
    clock: { ...systemClock, ...given.clock },
  };
}

function checkOption(name: string, value: unknown): void {
  if (!(name in options)) {
    throw new TypeError(`${name}: there is no such option. There are ${Object.keys(options).join(", ")}.`);
  }
  const [schema, accepted] = options[name as keyof typeof options];
  if (value === undefined || schema.safeParse(value).success) return;
  throw new TypeError(`${name}: expected ${accepted}, not ${typeOf(value)}.`);
}

/** The type of a value, for messages: its contents might be a secret. */
export const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "number") return Number.isNaN(value) ? "NaN" : value < 0 ? "a negative number" : "a number";
  return typeof value === "object" ? "an object of another shape" : `a ${typeof value}`;
};
