import { expectRejection, expectSuccess, expectThat } from "../../contract.ts";
import { expectStoreError, type StoreCase, saveFirst, shown } from "./case.ts";

/** Returns numbered text of at least that many bytes, so that a missing or swapped part is noticed. */
function numberedText(bytes: number): string {
  const parts: string[] = [];
  for (let size = 0; size < bytes; size += 16) parts.push(`${String(parts.length).padStart(7, "0")} é漢🔑`);
  return parts.join("");
}

/** A session needs 64 kB at most. A store may refuse more than that, but not cut it. */
const large = (name: string, bytes: number): StoreCase => ({
  name: `stores a value of ${name} completely, or refuses it with a StoreError and keeps the previous one`,
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, "previous");
    const value = numberedText(bytes);
    const call = `save(${shown(value)})`;
    const result = await store.save(value, version).then(
      (saved) => ({ value, version: saved }),
      (error: unknown) => {
        expectStoreError(error, "failure", call);
        return { value: "previous", version };
      },
    );
    const found = await expectSuccess(store.load(), "load", `load() after ${call}`);
    const isRight = found?.value === result.value && found.version === result.version;
    const outcome = result.value === value ? "was accepted" : "was refused";
    expectThat(isRight, "load", () => `${call} ${outcome}, but load() then returned ${shown(found)}.`);
    await expectSuccess(store.save("next", result.version), "save", `save("next") after ${call}`);
  },
});

const unavailable: StoreCase = {
  name: "rejects with a StoreError while its storage is unavailable, and works again afterwards",
  needs: ["interrupt"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, "before");
    await scene.interrupt(async () => {
      const found = await store.load().catch((error: unknown) => {
        expectStoreError(error, "failure", "load() from unavailable storage");
        return { value: "before" };
      });
      expectThat(
        found?.value === "before", // a full disk can still be read
        "failure",
        () => `load() from unavailable storage returned ${shown(found)}.`,
      );
      const save = store.save("meanwhile", version);
      const error = await expectRejection(save, "failure", "save() to unavailable storage was accepted.");
      expectStoreError(error, "failure", "save() to unavailable storage");
    });
    const found = await expectSuccess(store.load(), "failure", "load() after the storage was unavailable");
    const isKnown = found?.value === "before" || found?.value === "meanwhile"; // the outcome of the save is unknown
    expectThat(isKnown, "failure", () => `After the storage was unavailable, load() returned ${shown(found)}.`);
    await expectSuccess(store.save("after", found.version), "failure", "save() after the storage was unavailable");
  },
};

const unremoved: StoreCase = {
  name: "does not claim to have removed what it cannot reach",
  needs: ["interrupt"],
  async run(scene) {
    const store = await scene.open();
    await saveFirst(store, "value");
    let isRemoved = true;
    await scene.interrupt(async () => {
      await store.remove().catch((error: unknown) => {
        expectStoreError(error, "failure", "remove() from unavailable storage");
        isRemoved = false;
      });
    });
    const found = await store.load();
    expectThat(
      !isRemoved || found === undefined,
      "failure",
      () => `remove() from unavailable storage succeeded, but load() then returned ${shown(found)}.`,
    );
  },
};

export const failureCases: readonly StoreCase[] = [
  large("300 kB", 300_000),
  large("1.2 MB", 1_200_000),
  unavailable,
  unremoved,
];
