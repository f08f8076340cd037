import type { TokenStore } from "@unexpired/core";
import { type Clause, ConformanceError } from "../contract.ts";
import { type TimeLimit, within } from "../within.ts";

/** The default time limit of an operation, in milliseconds. {@link StoreOptions} has the reason. */
export const TIMEOUT = 20_000;

/** An operation that is limited: the clause of the contract that it violates if it hangs, and what a message calls it. */
interface Operation {
  readonly clause: Clause;
  readonly what: string;
}

/** Settles as the operation does. Throws a {@link ConformanceError} if that takes longer than `limit`. */
export function limitTime<T>(limit: TimeLimit, { clause, what }: Operation, result: T | Promise<T>): Promise<T> {
  const ms = typeof limit === "number" ? limit : limit.ms;
  const late = () => new ConformanceError(clause, `${what} did not settle within ${ms} ms.`);
  return within(limit, Promise.resolve(result), late);
}

/** Returns the store with a time limit for each operation, so that one that hangs costs a case no more than that. */
export function withTimeLimit(store: TokenStore, limit: TimeLimit): TokenStore {
  return withMethods(store, {
    load: () => limitTime(limit, { clause: "load", what: "load()" }, store.load()),
    save: (value, expected) => limitTime(limit, { clause: "save", what: "save()" }, store.save(value, expected)),
    remove: () => limitTime(limit, { clause: "remove", what: "remove()" }, store.remove()),
  });
}

/** Returns the store with some methods replaced. Everything else, an inspection included, is that of the store. */
export function withMethods(store: TokenStore, methods: Partial<TokenStore>): TokenStore {
  return new Proxy(store, {
    get(target, key) {
      const own = Reflect.getOwnPropertyDescriptor(target, key);
      if (own?.configurable === false && own.writable === false) return own.value; // a proxy must, for a frozen object
      const value: unknown = Reflect.get(key in methods ? methods : target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
