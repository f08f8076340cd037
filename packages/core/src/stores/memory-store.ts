import { StoreConflictError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";

const LOCATION = "The memory store";

/** Creates a store in memory, which is lost when the process ends. Managers that share the store share the session. */
export function memoryStore(): TokenStore {
  const listeners = new Set<() => void>();
  let current: StoredValue | undefined;
  let saves = 0;
  const change = (next: StoredValue | undefined) => {
    current = next;
    // a copy, because listeners may add and remove listeners
    for (const listener of [...listeners]) {
      if (!listeners.has(listener)) continue;
      try {
        listener();
      } catch {
        // an exception of a listener must not fail the save
      }
    }
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
    watch(onChange) {
      const listener = () => onChange();
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
