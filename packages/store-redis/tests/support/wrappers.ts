import { keyRing, sealed, type TokenStore } from "@unexpired/core";

const keys = keyRing([{ id: "1", key: new Uint8Array(32).fill(7) }]);

/** The wrappers of the store. They have names, because other processes wrap it as well. */
export const wrappers = {
  plain: (store: TokenStore, _key: string): TokenStore => store,
  sealed: (store: TokenStore, key: string): TokenStore => sealed(store, { keys, name: key }),
};

/** The name of a wrapper. */
export type Wrapper = keyof typeof wrappers;
