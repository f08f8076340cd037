import type { TokenStore } from "@unexpired/core";

/** The wrappers between a manager and the store. Each has a name, by which another process finds it, too. */
const byName = {
  plain: (store: TokenStore, _key: string): TokenStore => store,
};

/** The name of a wrapper. */
export type Wrapper = keyof typeof byName;

export const wrappers: Readonly<Record<Wrapper, (store: TokenStore, key: string) => TokenStore>> = byName;
