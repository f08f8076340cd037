import type { StoredValue, TokenStore } from "@unexpired/core";
import { deferred } from "@unexpired-internal/tables/deferred";
import type { Packed } from "./packed.ts";

/** A store whose next load can be held after it has read. */
export interface HoldableStore extends TokenStore {
  holdNextLoad(): { readonly started: Promise<void>; release(): void };
}

/** A string in memory that several stores share, as a small database would; `canWatch`: it notifies them of changes. */
export function sharedString({ core }: Packed, { canWatch }: { readonly canWatch: boolean }) {
  let stored: StoredValue | undefined;
  let saves = 0;
  const listeners = new Set<() => void>();
  const notify = () => setImmediate(() => [...listeners].map((listener) => listener()));
  const save = async (value: string, expected: string | undefined) => {
    if (stored?.version !== expected) throw new core.StoreConflictError("the shared string");
    stored = { value, version: `v${++saves}` };
    notify();
    return stored.version;
  };
  const watch = (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  const open = (): HoldableStore => {
    const { load, holdNextLoad } = holdable(async () => stored);
    const remove = async () => {
      stored = undefined;
    };
    const supports = { compareAndSet: "host", durable: false } as const;
    return {
      load,
      save,
      remove,
      holdNextLoad,
      supports,
      describe: () => "the shared string",
      ...(canWatch && { watch }),
    };
  };
  return { open };
}

function holdable(read: () => Promise<StoredValue | undefined>) {
  let hold: { readonly started: () => void; readonly until: Promise<void> } | undefined;
  const load = async () => {
    const current = hold;
    hold = undefined;
    const found = await read();
    current?.started();
    await current?.until;
    return found;
  };
  const holdNextLoad = () => {
    const [started, until] = [deferred<void>(), deferred<void>()];
    hold = { started: started.resolve, until: until.promise };
    return { started: started.promise, release: until.resolve };
  };
  return { load, holdNextLoad };
}
