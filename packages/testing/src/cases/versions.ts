import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { ConformanceError, hold, rejection } from "../contract.ts";
import type { StoreCase } from "./case.ts";

/** Saves what must be refused, and looks that nothing came of it. */
async function mustConflict(store: TokenStore, expected: string | undefined, why: string): Promise<void> {
  const before = await store.load();
  const what = `save("refused", ${JSON.stringify(expected)}) was accepted, although ${why}.`;
  const error = await rejection(store.save("refused", expected), "save", what);
  const isConflict = UnexpiredError.is(error) && error.code === "STORE_CONFLICT";
  hold(isConflict, "save", () => `save() with a version that ${why} rejected with ${inspect(error)}.`);
  const after = await store.load();
  const isSame = after?.value === before?.value && after?.version === before?.version;
  hold(isSame, "save", "A save() that was refused changed what is stored.");
}

const changing: StoreCase = {
  name: "gives each save a version of its own",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const seen = new Set<string>();
    let version: string | undefined;
    for (const value of ["a", "a", "b", "a", "a"]) {
      version = await store.save(value, version);
      hold(
        typeof version === "string" && version !== "",
        "version",
        () => `save() gave the version ${inspect(version)}.`,
      );
      hold(!seen.has(version), "version", `save() gave the version ${version} a second time.`);
      seen.add(version);
    }
  },
};

const neverAgain: StoreCase = {
  name: "repeats no version after remove and a new save",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const seen = new Set<string>();
    for (let round = 1; round <= 4; round++) {
      const version = await store.save("value", undefined);
      hold(!seen.has(version), "version", `After remove() save() gave the version ${version} again.`);
      seen.add(version);
      await store.remove();
      for (const old of seen) await mustConflict(store, old, "was removed");
    }
  },
};

const stale: StoreCase = {
  name: "refuses a version that is not the current one any more",
  needs: [],
  async run(scene) {
    const [one, other] = [await scene.open(), await scene.open()];
    const first = await one.save("first", undefined);
    const second = await other.save("second", first);
    await mustConflict(one, first, "was the current one before");
    await mustConflict(other, first, "was the current one before");
    await one.save("third", second);
    await mustConflict(other, second, "was the current one before");
  },
};

const unexpected: StoreCase = {
  name: "refuses undefined where there is something, and a version where there is nothing",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    await mustConflict(store, "1", "was never given");
    await store.save("value", undefined);
    await mustConflict(store, undefined, "says that there is nothing, where there is something");
    await mustConflict(store, "no version of this store", "was never given");
  },
};

const ROUNDS = 30;
const RACERS = 4;

const racing: StoreCase = {
  name: "lets one of several racing savers win",
  needs: [],
  async run(scene) {
    const stores = await Promise.all(Array.from({ length: RACERS }, () => scene.open()));
    let version: string | undefined;
    for (let round = 0; round < ROUNDS; round++) {
      version = await race(stores, version, round);
    }
  },
};

async function race(stores: readonly TokenStore[], expected: string | undefined, round: number): Promise<string> {
  const saves = stores.map((store, index) => store.save(`${round}.${index}`, expected));
  const outcomes = await Promise.allSettled(saves);
  const winners = outcomes.flatMap((outcome, index) =>
    outcome.status === "fulfilled" ? [{ index, version: outcome.value }] : [],
  );
  const [winner] = winners;
  if (!winner || winners.length > 1) {
    throw new ConformanceError(
      "save",
      `Of ${stores.length} saves at once with one expected version, ${winners.length} were accepted.`,
    );
  }
  for (const store of stores) {
    const found = await store.load();
    const isWinners = found?.value === `${round}.${winner.index}` && found.version === winner.version;
    hold(
      isWinners,
      "save",
      () => `Of saves at once, ${round}.${winner.index} was accepted, and ${inspect(found)} is stored.`,
    );
  }
  return winner.version;
}

export const versionCases: readonly StoreCase[] = [changing, neverAgain, stale, unexpected, racing];
