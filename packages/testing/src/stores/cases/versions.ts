import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { ConformanceError, hold, rejection, success } from "../../contract.ts";
import { begin, type StoreCase } from "./case.ts";

/** Saves what must be refused, and looks that nothing came of it. `because` says what is wrong with the version. */
async function mustConflict(store: TokenStore, expected: string | undefined, because: string): Promise<void> {
  const before = await store.load();
  const call = `save("refused", ${JSON.stringify(expected) ?? "undefined"})`;
  const error = await rejection(store.save("refused", expected), "save", `${call} was accepted, although ${because}.`);
  const isConflict = UnexpiredError.is(error) && error.code === "STORE_CONFLICT";
  hold(isConflict, "save", () => `${call} was refused with what is no StoreConflictError: ${inspect(error)}.`);
  const after = await store.load();
  const isSame = after?.value === before?.value && after?.version === before?.version;
  hold(isSame, "save", `${call} was refused, and changed what is stored all the same.`);
}

const changing: StoreCase = {
  name: "gives each save a version of its own",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const seen = new Set<string>();
    let version: string | undefined;
    for (const value of ["a", "a", "b", "a", "a"]) {
      version = await success(store.save(value, version), "save", `save("${value}", ${inspect(version)})`);
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
      const version = await success(store.save("value", undefined), "remove", "save() after remove()");
      hold(!seen.has(version), "version", `After remove() save() gave the version ${version} again.`);
      seen.add(version);
      await store.remove();
      for (const old of seen) await mustConflict(store, old, "what had that version was removed");
    }
  },
};

const SAVED_SINCE = "another save() has been accepted since that version";

const stale: StoreCase = {
  name: "refuses a version that is not the current one any more",
  needs: [],
  async run(scene) {
    const [one, other] = [await scene.open(), await scene.open()];
    const first = await begin(one, "first");
    const second = await other.save("second", first);
    await mustConflict(one, first, SAVED_SINCE);
    await mustConflict(other, first, SAVED_SINCE);
    await one.save("third", second);
    await mustConflict(other, second, SAVED_SINCE);
  },
};

const unexpected: StoreCase = {
  name: "refuses undefined where there is something, and a version where there is nothing",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    await mustConflict(store, "1", "save() never gave that version");
    await begin(store, "value");
    await mustConflict(store, undefined, "there is something: undefined stands for nothing");
    await mustConflict(store, "no version of this store", "save() never gave that version");
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
      { cause: outcomes.find((outcome) => outcome.status === "rejected")?.reason },
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
