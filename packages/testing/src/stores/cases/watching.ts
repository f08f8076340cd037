import type { TokenStore } from "@unexpired/core";
import { ConformanceError, expectSuccess, expectThat } from "../../contract.ts";
import { within } from "../../within.ts";
import type { StoreScene } from "../scene.ts";
import { type StoreCase, saveFirst } from "./case.ts";

const TIMEOUT = 5_000;

/** Saves as another holder: in another process if the harness supports it. */
async function saveAsAnotherHolder(scene: StoreScene, value: string): Promise<void> {
  if (scene.fixture.childProcess) {
    await expectSuccess(scene.start({ do: "save", value }).next(), "save", "save() in another process");
    return;
  }
  const store = await scene.open();
  await store.save(value, (await store.load())?.version);
}

/** Starts a watch that counts its calls and provides a promise of the next one. */
function countingWatch(store: TokenStore) {
  let calls = 0;
  let notify = () => {};
  const stop: unknown = store.watch?.(() => {
    calls++;
    notify();
  });
  expectThat(typeof stop === "function", "watch", "watch() did not return a function that stops it.");
  const next = () =>
    new Promise<void>((resolve) => {
      notify = resolve;
    });
  return { stop: () => void stop(), next, calls: () => calls };
}

type Watch = ReturnType<typeof countingWatch>;

/** Makes a change and waits until `watch` reports it. */
async function expectNotified(watch: Watch, change: () => Promise<void>, whose: string): Promise<void> {
  const notified = watch.next();
  await change();
  await within(
    TIMEOUT,
    notified,
    () => new ConformanceError("watch", `watch() did not report ${whose} within ${TIMEOUT} ms.`),
  );
}

const notifies: StoreCase = {
  name: "notifies watchers of another holder's saves until they stop",
  needs: ["watching"],
  async run(scene) {
    const store = await scene.open();
    await saveFirst(store, "1");
    const [watch, second] = [countingWatch(store), countingWatch(store)];
    for (const value of ["2", "3"]) {
      await expectNotified(watch, () => saveAsAnotherHolder(scene, value), "another holder's save");
      const found = await store.load();
      expectThat(
        found?.value === value,
        "watch",
        `watch() reported a change, but load() then returned ${found?.value} instead of ${value}.`,
      );
    }
    watch.stop();
    const before = watch.calls();
    // Twice: a stopped watch that is still called about the first save is called before the second one is reported.
    for (const value of ["4", "5"])
      await expectNotified(
        second,
        () => saveAsAnotherHolder(scene, value),
        "another holder's save after another watch was stopped",
      );
    expectThat(watch.calls() === before, "watch", "watch() called back after it had been stopped.");
    second.stop();
  },
};

export const watchCases: readonly StoreCase[] = [notifies];
