import type { Clock, TokenStore } from "../types.ts";
import { systemClock } from "../util/clock.ts";
import { EMPTY_RECORD, type StoredClient } from "./record.ts";
import { RecordStore } from "./record-store.ts";

/**
 * Returns the client that a store keeps beside the session, or without one.
 *
 * @throws StoreError if the store cannot be read
 */
export const loadClient = (store: TokenStore, clock: Clock = systemClock): Promise<StoredClient | undefined> =>
  withRecords(store, clock, async (records) => (await records.load())?.record.client);

/**
 * Changes the client that a store keeps, and leaves the session as it is. `change` is called with the stored client, again
 * after each conflict, and returns the one to store: `undefined` for none, or the same object to store nothing. Resolves to
 * the client that is stored then.
 *
 * @throws StoreError if the store cannot be read or written
 */
export const updateClient = (
  store: TokenStore,
  change: (stored: StoredClient | undefined) => StoredClient | undefined,
  clock: Clock = systemClock,
): Promise<StoredClient | undefined> =>
  withRecords(store, clock, async (records) => {
    for (;;) {
      const stored = await records.loadReplaceable();
      const client = change(stored?.record.client);
      if (client === stored?.record.client) return client;
      if (await records.save({ ...EMPTY_RECORD, ...stored?.record, client }, stored)) return client;
    }
  });

async function withRecords<T>(store: TokenStore, clock: Clock, run: (records: RecordStore) => Promise<T>): Promise<T> {
  const records = new RecordStore(store, { accountOf: () => undefined, clock }); // the account is the manager's to tell
  try {
    return await run(records);
  } finally {
    records.close();
  }
}
