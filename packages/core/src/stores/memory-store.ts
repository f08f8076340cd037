import { StoreConflictError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";
import { Listeners } from "../util/listeners.ts";

const LOCATION = "The memory store";

/** Creates a store in memory, which is lost when the process ends. Managers that share the store share the session. */
export function memoryStore(): TokenStore {
  const watchers = new Listeners<[]>();
  let current: StoredValue | undefined;
  let saves = 0;
  const change = (next: StoredValue | undefined) => {
    current = next;
    watchers.call();
  };
  return {
    supports: { compareAndSet: "process", durable: false },
    describe: () => LOCATION,
    load: async () => current && { ...current },
    async save(value, expected) {
      if (current?.version !== expected) throw new StoreConflictError(LOCATION);
      const version = `${++saves}`;
      change({ value, version });
      return version;
    },
    async remove() {
      change(undefined);
    },
    watch: (onChange) => watchers.add(onChange),
  };
}
