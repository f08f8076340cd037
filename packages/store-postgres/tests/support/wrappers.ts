import type { TokenStore } from "@unexpired/core";

/** What stands between a manager and the store. Named, because other processes wrap it as well. */
const byName = {
  plain: (store: TokenStore, _key: string): TokenStore => store,
};

/** The name of a wrapper. */
export type Wrapper = keyof typeof byName;

export const wrappers: Readonly<Record<Wrapper, (store: TokenStore, key: string) => TokenStore>> = byName;
