import { StoreConflictError } from "../errors.ts";
import type { StoredValue, TokenStore } from "../types.ts";

const PLACE = "The memory store";

/** Keeps the session in this process's memory: gone when it ends. Managers that share the object share the session. */
export function memoryStore(): TokenStore {
  const listeners = new Set<() => void>();
  let current: StoredValue | undefined;
  let saves = 0;
  const change = (next: StoredValue | undefined) => {
    current = next;
    for (const listener of listeners) {
      try {
        listener();
      } catch {
        // what is stored is stored, whatever a listener makes of it
      }
    }
  };
  return {
    supports: { compareAndSet: "process", durable: false },
    describe: () => PLACE,
    load: async () => current && { ...current },
    async save(value, expected) {
      if (current?.version !== expected) throw new StoreConflictError(PLACE);
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
