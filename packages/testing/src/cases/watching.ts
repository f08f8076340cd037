import { ConformanceError, hold } from "../contract.ts";
import type { Scene } from "../scene.ts";
import { within } from "../within.ts";
import type { StoreCase } from "./case.ts";

const BOUND = 5_000;

/** Saves as another holder: in another process, where there can be one. */
async function saveElsewhere(scene: Scene, value: string): Promise<void> {
  if (scene.backing.elsewhere) {
    const writer = scene.start({ do: "save", value });
    await writer.next();
    return;
  }
  const store = await scene.open();
  await store.save(value, (await store.load())?.version);
}

/** A watch, and a promise of its next call. */
function watching(store: { watch?(onChange: () => void): () => void }) {
  let calls = 0;
  let notify = () => {};
  const stop = store.watch?.(() => {
    calls++;
    notify();
  });
  const next = () =>
    new Promise<void>((resolve) => {
      notify = resolve;
    });
  return { stop: () => stop?.(), next, calls: () => calls };
}

const tells: StoreCase = {
  name: "tells who watches of another holder's save, until it is stopped",
  needs: ["watching"],
  async run(scene) {
    const store = await scene.open();
    await store.save("1", undefined);
    const watch = watching(store);
    const late = () =>
      new ConformanceError("watch", `watch() told nothing of another holder's save within ${BOUND} ms.`);
    for (const value of ["2", "3"]) {
      const told = watch.next();
      await saveElsewhere(scene, value);
      await within(BOUND, told, late);
      const found = await store.load();
      hold(
        found?.value === value,
        "watch",
        `watch() told of a change, and load() then gave ${found?.value} instead of ${value}.`,
      );
    }
    watch.stop();
    await stoppedTellsNothing(scene, watch.calls);
  },
};

/** Another watch tells when the change has been through. */
async function stoppedTellsNothing(scene: Scene, calls: () => number): Promise<void> {
  const before = calls();
  const second = watching(await scene.open());
  const told = second.next();
  await saveElsewhere(scene, "4");
  await within(
    BOUND,
    told,
    () => new ConformanceError("watch", "A second watch() told nothing after the first was stopped."),
  );
  second.stop();
  hold(calls() === before, "watch", "watch() called back after it had been stopped.");
}

export const watchCases: readonly StoreCase[] = [tells];
