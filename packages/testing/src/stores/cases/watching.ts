import type { TokenStore } from "@unexpired/core";
import { ConformanceError, hold, success } from "../../contract.ts";
import { within } from "../../within.ts";
import type { StoreScene } from "../scene.ts";
import { begin, type StoreCase } from "./case.ts";

const BOUND = 5_000;

/** Saves as another holder: in another process, where there can be one. */
async function saveElsewhere(scene: StoreScene, value: string): Promise<void> {
  if (scene.fixture.childProcess) {
    await success(scene.start({ do: "save", value }).next(), "save", "save() in another process");
    return;
  }
  const store = await scene.open();
  await store.save(value, (await store.load())?.version);
}

/** A watch that counts its calls, and a promise of the next one. */
function watching(store: TokenStore) {
  let calls = 0;
  let notify = () => {};
  const stop: unknown = store.watch?.(() => {
    calls++;
    notify();
  });
  hold(typeof stop === "function", "watch", "watch() returned no function that stops it.");
  const next = () =>
    new Promise<void>((resolve) => {
      notify = resolve;
    });
  return { stop: () => void stop(), next, calls: () => calls };
}

type Watch = ReturnType<typeof watching>;

/** Changes something, and waits until `watch` has told so. */
async function mustTell(watch: Watch, change: () => Promise<void>, whose: string): Promise<void> {
  const told = watch.next();
  await change();
  await within(
    BOUND,
    told,
    () => new ConformanceError("watch", `watch() told nothing of ${whose} within ${BOUND} ms.`),
  );
}

const tells: StoreCase = {
  name: "tells who watches of another holder's save, until it is stopped",
  needs: ["watching"],
  async run(scene) {
    const store = await scene.open();
    await begin(store, "1");
    const [watch, second] = [watching(store), watching(store)];
    for (const value of ["2", "3"]) {
      await mustTell(watch, () => saveElsewhere(scene, value), "another holder's save");
      const found = await store.load();
      hold(
        found?.value === value,
        "watch",
        `watch() told of a change, and load() then gave ${found?.value} instead of ${value}.`,
      );
    }
    watch.stop();
    const before = watch.calls();
    // Twice: one that were still to be told of the first is told before the second.
    for (const value of ["4", "5"])
      await mustTell(
        second,
        () => saveElsewhere(scene, value),
        "another holder's save after another watch was stopped",
      );
    hold(watch.calls() === before, "watch", "watch() called back after it had been stopped.");
    second.stop();
  },
};

export const watchCases: readonly StoreCase[] = [tells];
