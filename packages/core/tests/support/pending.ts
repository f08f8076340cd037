import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { StoreError } from "../../src/errors.ts";
import { digestOf, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { RecordStore } from "../../src/record/record-store.ts";
import { PendingChanges } from "../../src/refresh/pending-changes.ts";
import type { Rotation } from "../../src/refresh/rotation.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import type { RefreshFunction, SessionEvent } from "../../src/types.ts";
import { disk } from "./interference.ts";
import { NOW, recordOf, tokens } from "./machine.ts";

export const digest = (generation: number | string) => digestOf(canary("refresh", generation));
export const recordWith = (generation: number | string, more: Partial<SessionRecord> = {}) =>
  recordOf({
    tokens: tokens({ accessToken: canary("access", generation), refreshToken: canary("refresh", generation) }),
    ...more,
  });
/** The result of presenting the first refresh token. */
export const rotation = (more: Partial<SessionRecord> = {}, generation: number | string = 2): Rotation => ({
  base: recordWith(1),
  record: recordWith(generation, { obtainedAt: NOW + 10, renewed: true, ...more }),
});

/** Starts pending changes over a store that holds `first`. */
export async function startPending(
  first: SessionRecord | undefined = recordWith(1),
  revoke?: RefreshFunction["revoke"],
) {
  const clock = new VirtualClock();
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock });
  if (first) await store.save(serializeRecord(first), undefined);
  const base = await records.load();
  const put = async (record: SessionRecord) =>
    void (await store.save(serializeRecord(record), (await store.load())?.version));
  const observed: [string | undefined, string][] = [];
  const announced: SessionEvent[] = [];
  const refresh = Object.assign(async () => ({ access_token: "" }), { revoke });
  const host = {
    session: { record: base?.record },
    observe(record: SessionRecord | undefined, source: string) {
      host.session = { record };
      observed.push([record?.tokens?.refreshToken, source]);
    },
    announce: (event: SessionEvent) => void announced.push(event),
  };
  const pending = new PendingChanges({ records, refresh, clock }, host);
  const stored = async () => (await records.load())?.record;
  return { base, clock, host, pending, put, records, observed, store, stored, announced };
}

export const full = new StoreError("STORE_UNAVAILABLE", {
  location: memoryStore().describe(),
  problem: "is full",
  hint: "Free some space.",
});

/** Lets `store` reject every save, and counts the attempts until `accept` is called. */
export function rejectSaves(store: ReturnType<typeof memoryStore>, error: Error = disk) {
  const { save } = store;
  let saves = 0;
  store.save = () => {
    saves++;
    return Promise.reject(error);
  };
  return { count: () => saves, accept: () => Object.assign(store, { save }) };
}
