import { canary } from "@unexpired-internal/test-support/canary";
import { settle as settleAll } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { StoreConflictError } from "../../src/errors.ts";
import { disk, gate } from "../support/interference.ts";
import { SECOND } from "../support/machine.ts";
import { digest, recordWith, rejectSaves, rotation, startPending as start } from "../support/pending.ts";

describe("a rotation that is still to be saved", () => {
  it.each([
    ["is refused", () => Promise.reject(disk)],
    ["turns out to be saved already", () => Promise.reject(new StoreConflictError("memory"))],
  ])("is kept while that of an earlier, late response %s (P2)", async (_how, settle) => {
    const session = { session: "s", rotation: 1 };
    const { base, clock, pending, put, store, stored } = await start(recordWith(1, session));
    const { save } = store;
    const { promise: failed, open: fail } = gate<void>();
    store.save = () => failed.then(settle);
    const late = pending.commit(rotation({ ...session, rotation: 2 }), base);
    store.save = save;
    await put(recordWith(2, { ...session, rotation: 2, spent: [digest(1)] })); // by another process
    const { accept } = rejectSaves(store);
    const { record } = rotation({ ...session, rotation: 3 }, 3);
    await pending.commit({ base: recordWith(2, { ...session, rotation: 2 }), record }, await pending.load());
    fail();
    await late;
    accept();
    await clock.advance(2 * SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 3));
  });

  it("is kept while that of an earlier, late response can neither be saved nor looked up (P2)", async () => {
    const session = { session: "s", rotation: 1 };
    const { base, clock, pending, put, store, stored } = await start(recordWith(1, session));
    const { load, save } = store;
    const { promise: failed, open: fail } = gate<void>();
    store.save = () => failed.then(() => Promise.reject(disk));
    const late = pending.commit(rotation({ ...session, rotation: 2 }), base);
    store.save = save;
    await put(recordWith(2, { ...session, rotation: 2, spent: [digest(1)] })); // by another process
    rejectSaves(store);
    const { record } = rotation({ ...session, rotation: 3 }, 3);
    await pending.commit({ base: recordWith(2, { ...session, rotation: 2 }), record }, await pending.load());
    store.load = () => Promise.reject(disk);
    fail();
    await late;
    Object.assign(store, { load, save });
    await clock.advance(2 * SECOND);
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 3));
  });

  it("is awaited by close() if an earlier response arrives while it is being saved (P2)", async () => {
    const session = { session: "s", rotation: 1 };
    const { base, pending, put, store, stored, announced } = await start(recordWith(1, session));
    await put(recordWith(2, { ...session, rotation: 2, spent: [digest(1)] }));
    const { save } = store;
    const { promise: opened, open } = gate<void>();
    store.save = (value, expected) => {
      store.save = save;
      return opened.then(() => save(value, expected));
    };
    const { record } = rotation({ ...session, rotation: 3 }, 3);
    const newer = { base: recordWith(2, { ...session, rotation: 2 }), record };
    const late = rotation({ ...session, rotation: 2 });
    const commits = [pending.commit(newer, await pending.load()), pending.commit(late, base)];
    let isClosed = false;
    const closed = pending.close().then(() => {
      isClosed = true;
    });
    await settleAll();
    expect(isClosed).toBe(false);
    open();
    await closed;
    expect((await stored())?.tokens?.refreshToken).toBe(canary("refresh", 3));
    expect(await Promise.all(commits)).toEqual([true, false]);
    expect(announced).toEqual([{ type: "rotation-dropped", reason: "superseded" }]);
  });
});
