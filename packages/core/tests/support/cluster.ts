import { StoreConflictError, type StoredValue, type TokenStore } from "../../src/index.ts";
import { parseRecord, type SessionRecord } from "../../src/record/record.ts";

/** A store of several machines, whose last writes a failover loses. Each process has a connection of its own. */
export function startCluster() {
  const history: (StoredValue | undefined)[] = [undefined];
  let saves = 0;
  const save = async (value: string, expected: string | undefined): Promise<string> => {
    if (history.at(-1)?.version !== expected) throw new StoreConflictError("the cluster");
    const version = `version ${++saves}`;
    history.push({ value, version });
    return version;
  };
  const remove = async (): Promise<void> => {
    history.push(undefined);
  };
  /** Connects a process, which is told of changes only when it reconnects. */
  const connect = () => {
    const watchers = new Set<() => void>();
    const store: TokenStore = {
      supports: { compareAndSet: "cluster", durable: true },
      describe: () => "the cluster",
      load: async () => history.at(-1),
      save,
      remove,
      watch: (onChange) => {
        watchers.add(onChange);
        return () => watchers.delete(onChange);
      },
    };
    const reconnect = () => {
      for (const onChange of watchers) onChange();
    };
    return { store, reconnect };
  };
  const failOver = (lost: number): void => {
    history.splice(-lost);
  };
  const record = (): SessionRecord | undefined => {
    const stored = history.at(-1);
    return stored && parseRecord(stored.value, "the cluster");
  };
  return { connect, failOver, record };
}
