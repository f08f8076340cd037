import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { expectRejection, expectSuccess, expectThat } from "../../contract.ts";
import type { StoreScene } from "../scene.ts";
import { expectStoreError, type StoreCase, saveFirst, shown } from "./case.ts";

/** The details of the error about unreadable data. */
interface Unreadable {
  /** The version over which a save replaces the data. */
  readonly overwriteVersion: string;
  /** The version of the session that the data hides, if it hides one. */
  readonly hiddenVersion: string | undefined;
}

/** Makes the data of a location unreadable, unlike before. Resolves to the function that undoes it. */
async function damage({ fixture }: StoreScene): Promise<() => Promise<void>> {
  const repair = await fixture.damageOverwritable?.();
  return async () => await repair?.();
}

/** Saves "first" and "last", and makes the data unreadable. */
async function damagedStore(scene: StoreScene) {
  const store = await scene.open();
  const first = await saveFirst(store, "first");
  const last = await expectSuccess(
    store.save("last", first),
    "save",
    'save("last") over the version that save() returned',
  );
  return { store, first, last, repair: await damage(scene) };
}

/** Loads data that is unreadable. */
async function loadUnreadable(store: TokenStore): Promise<Unreadable> {
  const error = await expectRejection(store.load(), "unreadable", "load() of unreadable data did not reject.");
  expectThat(
    UnexpiredError.is(error) && error.code === "STORE_UNREADABLE",
    "unreadable",
    () => `load() of unreadable data rejected with something other than STORE_UNREADABLE: ${String(error)}`,
  );
  const { version, overwriteVersion = error.stored ? undefined : version } = error;
  expectThat(
    typeof overwriteVersion === "string" && overwriteVersion !== "",
    "overwrite",
    () => `The error of load() about unreadable data has the overwriteVersion ${shown(overwriteVersion)}.`,
  );
  return { overwriteVersion, hiddenVersion: error.stored && version };
}

async function expectLoaded(store: TokenStore, expected: { value: string; version: string }, when: string) {
  const found = await expectSuccess(store.load(), "overwrite", `load() ${when}`);
  const isRight = found?.value === expected.value && found.version === expected.version;
  expectThat(isRight, "overwrite", () => `load() ${when} returned ${shown(found)} instead of ${shown(expected)}.`);
}

/** Expects that a save over the version of unreadable data conflicts. `change` tells what happened to the data since. */
async function expectOutdated(store: TokenStore, overwriteVersion: string, change: string): Promise<void> {
  const call = `save() over the version of unreadable data that ${change}`;
  const error = await expectRejection(store.save("refused", overwriteVersion), "overwrite", `${call} was accepted.`);
  expectThat(
    UnexpiredError.is(error) && error.code === "STORE_CONFLICT",
    "overwrite",
    () => `${call} rejected with something other than a StoreConflictError: ${String(error)}`,
  );
}

const reported: StoreCase = {
  name: "reports unreadable data to every holder with the same version, and leaves it alone",
  needs: ["overwriting"],
  async run(scene) {
    const { store, last, repair } = await damagedStore(scene);
    const [one, other] = await Promise.all([loadUnreadable(store), loadUnreadable(await scene.open())]);
    for (const { overwriteVersion } of [other, await loadUnreadable(store)])
      expectThat(
        overwriteVersion === one.overwriteVersion,
        "overwrite",
        () =>
          `load() of the same unreadable data reported the versions ${one.overwriteVersion} and ${overwriteVersion}.`,
      );
    await repair();
    await expectLoaded(store, { value: "last", version: last }, "after unreadable data was repaired");
  },
};

const replaced: StoreCase = {
  name: "replaces unreadable data by a save over the version that its error states",
  needs: ["overwriting"],
  async run(scene) {
    const { store, first, last } = await damagedStore(scene);
    const { overwriteVersion } = await loadUnreadable(store);
    const save = store.save("next", overwriteVersion);
    const version = await expectSuccess(save, "overwrite", "save() over the version of unreadable data");
    expectThat(
      ![first, last, overwriteVersion].includes(version),
      "version",
      `save() over unreadable data returned the version ${version} a second time.`,
    );
    for (const each of [store, await scene.open()])
      await expectLoaded(each, { value: "next", version }, "after a save over unreadable data");
    await expectOutdated(store, overwriteVersion, "was replaced");
    await expectSuccess(store.save("after", version), "save", "save() after a save over unreadable data");
  },
};

const outdated: StoreCase = {
  name: "replaces no unreadable data that has changed or was repaired since it was reported",
  needs: ["overwriting"],
  async run(scene) {
    const { store, last, repair } = await damagedStore(scene);
    const before = await loadUnreadable(store);
    const undo = await damage(scene);
    const changed = await loadUnreadable(store);
    await expectOutdated(store, before.overwriteVersion, "has changed");
    const after = await loadUnreadable(store);
    const isSame = after.overwriteVersion === changed.overwriteVersion;
    expectThat(isSame, "overwrite", "A save over unreadable data was rejected, but changed the data.");
    await undo();
    await repair();
    for (const { overwriteVersion } of [before, changed]) await expectOutdated(store, overwriteVersion, "was repaired");
    await expectLoaded(store, { value: "last", version: last }, "after unreadable data was repaired");
  },
};

const kept: StoreCase = {
  name: "keeps unreadable data if a save expects nothing, or the version of a value",
  needs: ["overwriting"],
  async run(scene) {
    const { store, first, last } = await damagedStore(scene);
    const before = await loadUnreadable(store);
    for (const expected of [undefined, first, last]) {
      if (expected !== undefined && expected === before.hiddenVersion) continue; // replaces the session, not the data
      const call = `save("refused", ${inspect(expected)})`;
      const save = store.save("refused", expected);
      const error = await expectRejection(save, "overwrite", `${call} was accepted over unreadable data.`);
      const isConflict = UnexpiredError.is(error) && error.code === "STORE_CONFLICT";
      if (!isConflict) expectStoreError(error, "failure", `${call} over unreadable data`);
    }
    const after = await loadUnreadable(store);
    const isSame = after.overwriteVersion === before.overwriteVersion;
    expectThat(isSame, "overwrite", "A save was rejected, but changed unreadable data.");
  },
};

export const overwritingCases: readonly StoreCase[] = [reported, replaced, outdated, kept];
