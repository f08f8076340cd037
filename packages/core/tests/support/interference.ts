import { canary } from "@unexpired-internal/test-support/canary";
import { digestOf, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import type { TokenStore } from "../../src/types.ts";

/** The default lease: twice the deadline of an exchange, and a margin, in milliseconds. */
export const LEASE = 70_000;

/** A promise that the test settles. */
export function gate<T>() {
  let open = (_: T) => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

/** Applies `change` to the stored record, as another process would. */
export async function write(store: TokenStore, change: (record: SessionRecord) => SessionRecord): Promise<void> {
  const stored = await store.load();
  if (!stored) throw new Error("nothing stored");
  await store.save(serializeRecord(change(JSON.parse(stored.value) as SessionRecord)), stored.version);
}

/** Another holder's claim on the issuer's refresh token. */
export const attempt = (number: number, more: object = {}) => ({
  id: "theirs",
  digest: digestOf(canary("refresh", number)),
  claimedAt: 0,
  lease: LEASE,
  status: "claimed" as const,
  afterLoss: false,
  failures: 0,
  ...more,
});

export const disk = new Error("ENOSPC: no space left on device");

/** Makes the next load return what the store holds now, once `finish` is called. */
export function holdNextLoad(store: TokenStore): { finish(error?: Error): void } {
  const { load } = store;
  const { promise, open } = gate<Error | undefined>();
  store.load = async () => {
    store.load = load;
    const loaded = await load();
    const error = await promise;
    if (error) throw error;
    return loaded;
  };
  return { finish: open };
}

/** Removes a store's `watch`, so that changes are found only by loading. */
export const withoutWatch = (store: TokenStore): void => {
  delete (store as { watch?: unknown }).watch;
};

/** Lets the next save take effect, but confirms it only once `finish` is called. */
export function holdNextSave(store: TokenStore): { finish(): void } {
  const { save } = store;
  const { promise, open } = gate<void>();
  store.save = async (value, expected) => {
    store.save = save;
    const version = await save(value, expected);
    await promise;
    return version;
  };
  return { finish: open };
}
