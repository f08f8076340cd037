import { describe, expect, it } from "vitest";
import { RecordStore } from "../../src/record/record-store.ts";
import { memoryStore } from "../../src/stores/memory-store.ts";
import { systemClock } from "../../src/util/clock.ts";
import { startCluster } from "../support/cluster.ts";
import { gate, holdNextLoad, holdNextSave, write } from "../support/interference.ts";
import { recordOf } from "../support/machine.ts";

it("notices that a saved record was replaced if a load that began before the save finds that, and ends first (P3)", async () => {
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock: systemClock });
  const first = await records.save(recordOf(), undefined);
  const { load } = store;
  const { promise: late, open: read } = gate<void>();
  store.load = () => late.then(load);
  const loading = records.load();
  const { finish } = holdNextSave(store);
  const saving = records.save(recordOf({ rotation: 1 }), first ?? undefined);
  store.load = load;
  await write(store, (record) => ({ ...record, rotation: 2 })); // by another process
  read();
  expect((await loading)?.record.rotation).toBe(2);
  finish();
  expect((await saving)?.current?.rotation).toBe(2);
});

it("does not go back to what a load read before another one that has ended (P3)", async () => {
  const store = memoryStore();
  const records = new RecordStore(store, { accountOf: () => undefined, clock: systemClock });
  await records.save(recordOf({ rotation: 1 }), undefined);
  const { load } = store;
  const { promise: late, open: read } = gate<void>();
  store.load = () => late.then(load);
  const first = records.load();
  store.load = load;
  const { finish } = holdNextLoad(store);
  const second = records.load(); // begins later, and reads earlier
  await write(store, (record) => ({ ...record, rotation: 2 })); // by another process
  read();
  expect((await first)?.record.rotation).toBe(2);
  finish();
  expect((await second)?.record.rotation).toBe(2);
});

const deps = { accountOf: () => undefined, clock: systemClock };

describe("a store of several machines that fails over", () => {
  it("does not take a save for the newest that was confirmed after a later one (P3)", async () => {
    const { connect, failOver, record } = startCluster();
    const { store } = connect();
    const records = new RecordStore(store, deps);
    const first = await records.save(recordOf(), undefined);
    const { finish } = holdNextSave(store);
    const saving = records.save(recordOf({ rotation: 1 }), first ?? undefined);
    await records.save(recordOf({ rotation: 2 }), await records.load());
    failOver(1);
    finish();
    expect((await saving)?.current?.rotation).toBe(2);
    expect(record()?.rotation).toBe(2);
  });

  it("restores what a load found whose response came after that of a later one (P3)", async () => {
    const { connect, failOver } = startCluster();
    const { store } = connect();
    const records = new RecordStore(store, deps);
    const first = await records.save(recordOf(), undefined);
    const other = new RecordStore(connect().store, deps);
    await other.load();
    await other.save(recordOf({ rotation: 1 }), first ?? undefined);
    const { finish } = holdNextLoad(store);
    const loading = records.load();
    failOver(1);
    await records.load();
    finish();
    expect((await loading)?.record.rotation).toBe(1);
  });
});

it("restores what it has found after a save that failed (P1)", async () => {
  const { connect, failOver } = startCluster();
  const { store } = connect();
  const records = new RecordStore(store, deps);
  const first = await records.save(recordOf(), undefined);
  const other = new RecordStore(connect().store, deps);
  await other.save(recordOf({ rotation: 1 }), await other.load());
  store.save = async () => {
    store.save = connect().store.save;
    throw new Error("no response");
  };
  await records.save(recordOf({ rotation: 2 }), first ?? undefined);
  failOver(1);
  expect((await records.load())?.record.rotation).toBe(1);
});

it("lists no versions, and restores nothing, in a store of one machine", async () => {
  const store = memoryStore();
  const records = new RecordStore(store, deps);
  const first = await records.save(recordOf(), undefined);
  await records.save(recordOf({ session: "s", rotation: 2 }), first ?? undefined);
  await write(store, (record) => ({ ...record, rotation: 1 }));
  const found = await records.load();
  expect(found?.record).toMatchObject({ rotation: 1 });
  expect(found?.record.past).toBeUndefined();
});
