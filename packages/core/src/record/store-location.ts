import type { TokenStore } from "../types.ts";

/** Returns the description of a store for messages. A store whose `describe` throws must not cost a session. */
export function locationOf(store: TokenStore): string {
  try {
    return store.describe();
  } catch {
    return "a store whose describe() throws";
  }
}
