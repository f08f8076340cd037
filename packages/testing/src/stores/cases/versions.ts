import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { ConformanceError, expectRejection, expectSuccess, expectThat } from "../../contract.ts";
import { type StoreCase, saveFirst } from "./case.ts";

/** Expects a save to be rejected without an effect. `problem` tells what is wrong with the expected version. */
async function expectConflict(store: TokenStore, expected: string | undefined, problem: string): Promise<void> {
  const before = await store.load();
  const call = `save("refused", ${JSON.stringify(expected) ?? "undefined"})`;
  const error = await expectRejection(
    store.save("refused", expected),
    "save",
    `${call} was accepted, although ${problem}.`,
  );
  const isConflict = UnexpiredError.is(error) && error.code === "STORE_CONFLICT";
  expectThat(
    isConflict,
    "save",
    () => `${call} rejected with something other than a StoreConflictError: ${inspect(error)}.`,
  );
  const after = await store.load();
  const isSame = after?.value === before?.value && after?.version === before?.version;
  expectThat(isSame, "save", `${call} was rejected, but changed the stored data.`);
}

const changing: StoreCase = {
  name: "returns a new version for each save",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const seen = new Set<string>();
    let version: string | undefined;
    for (const value of ["a", "a", "b", "a", "a"]) {
      version = await expectSuccess(store.save(value, version), "save", `save("${value}", ${inspect(version)})`);
      expectThat(
        typeof version === "string" && version !== "",
        "version",
        () => `save() returned the version ${inspect(version)}.`,
      );
      expectThat(!seen.has(version), "version", `save() returned the version ${version} a second time.`);
      seen.add(version);
    }
  },
};

const neverAgain: StoreCase = {
  name: "never reuses a version after remove and a new save",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const seen = new Set<string>();
    for (let round = 1; round <= 4; round++) {
      const version = await expectSuccess(store.save("value", undefined), "remove", "save() after remove()");
      expectThat(!seen.has(version), "version", `After remove(), save() returned the version ${version} again.`);
      seen.add(version);
      await store.remove();
      for (const old of seen) await expectConflict(store, old, "the value with that version was removed");
    }
  },
};

const SAVED_SINCE = "another save() has been accepted since that version";

const stale: StoreCase = {
  name: "rejects a save with a stale version",
  needs: [],
  async run(scene) {
    const [one, other] = [await scene.open(), await scene.open()];
    const first = await saveFirst(one, "first");
    const second = await other.save("second", first);
    await expectConflict(one, first, SAVED_SINCE);
    await expectConflict(other, first, SAVED_SINCE);
    await one.save("third", second);
    await expectConflict(other, second, SAVED_SINCE);
  },
};

const unexpected: StoreCase = {
  name: "rejects undefined if a value is stored, and a version if none is",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const first = await saveFirst(store, "value");
    await expectConflict(store, undefined, "a value is stored, and undefined means that nothing is");
    await store.remove();
    await expectConflict(store, first, "nothing is stored");
  },
};

const ROUNDS = 30;
const RACERS = 4;

const racing: StoreCase = {
  name: "accepts exactly one of several concurrent saves",
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
      `Of ${stores.length} concurrent saves with the same expected version, ${winners.length} were accepted.`,
      { cause: outcomes.find((outcome) => outcome.status === "rejected")?.reason },
    );
  }
  for (const store of stores) {
    const found = await store.load();
    const isWinners = found?.value === `${round}.${winner.index}` && found.version === winner.version;
    expectThat(
      isWinners,
      "save",
      () => `Of concurrent saves, ${round}.${winner.index} was accepted, but ${inspect(found)} is stored.`,
    );
  }
  return winner.version;
}

export const versionCases: readonly StoreCase[] = [changing, neverAgain, stale, unexpected, racing];
