import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { expectRejection, expectSuccess, expectThat } from "../../contract.ts";
import { expectStoreError, type StoreCase, saveFirst, shown } from "./case.ts";

const CONTROL = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join("");

const VALUES: Readonly<Record<string, string>> = {
  "ordinary text": '{ "tokens": {"accessToken":"a"}, "schema":1 }',
  "an empty string": "",
  Unicode: "é 漢字 🔑 \u{10FFFF} \uFEFF \u2028 e\u0301",
  "every control character": `${CONTROL}\u007F\u0080\u009F`,
  "64 kB": "0123456789abcdef".repeat(4096),
  'the text "null"': "null",
  "leading and trailing whitespace": " \r\n value \n\t ",
};

/** Saves and loads one value. */
const roundTrip = (name: string, value: string): StoreCase => ({
  name: `round-trips ${name}`,
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, value);
    const found = await expectSuccess(store.load(), "load", `load() after save(${shown(value)}, undefined)`);
    expectThat(
      found?.value === value,
      "load",
      () => `After save(${shown(value)}), load() returned ${shown(found?.value)}.`,
    );
    expectThat(
      found.version === version,
      "version",
      () => `save() returned the version ${shown(version)}, but load() then returned ${shown(found.version)}.`,
    );
  },
});

const absent: StoreCase = {
  name: "loads undefined before the first save",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const found = await expectSuccess(store.load(), "load", "load() before the first save");
    expectThat(found === undefined, "load", () => `Before the first save, load() returned ${shown(found)}.`);
  },
};

const removed: StoreCase = {
  name: "removes the stored value, and succeeds if nothing is stored",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const remove = (when: string) => expectSuccess(store.remove(), "remove", `remove() ${when}`);
    await remove("before the first save");
    await saveFirst(store, "value");
    await remove("of a stored value");
    const found = await store.load();
    expectThat(found === undefined, "remove", () => `After remove(), load() returned ${shown(found)}.`);
    await remove("after another remove()");
    await expectSuccess(store.save("another", undefined), "remove", "save() after remove()");
    const next = await store.load();
    expectThat(
      next?.value === "another",
      "remove",
      () => `After remove() and save("another"), load() returned ${shown(next)}.`,
    );
  },
};

const visible: StoreCase = {
  name: "makes a save visible to every other holder immediately",
  needs: [],
  async run(scene) {
    const [one, other] = [await scene.open(), await scene.open()];
    let version: string | undefined;
    for (const value of ["first", "second", "third"]) {
      await other.load();
      version = await expectSuccess(
        one.save(value, version),
        "save",
        `save("${value}") over the version that save() returned`,
      );
      const found = await other.load();
      expectThat(
        found?.value === value,
        "load",
        () =>
          `After save("${value}") by one store, load() of another store on the same location returned ${shown(found)}.`,
      );
      expectThat(
        found.version === version,
        "version",
        `save() of one store returned the version ${version}, but load() of another store returned ${found.version}.`,
      );
    }
  },
};

const separate: StoreCase = {
  name: "keeps locations separate",
  needs: [],
  async run(scene) {
    const other = await scene.createScene();
    await expectSeparate(await scene.open(), await other.open());
  },
};

const neighbors: StoreCase = {
  name: "keeps the keys of one database separate",
  needs: ["neighbor"],
  async run(scene) {
    await expectSeparate(await scene.open(), await scene.openNeighbor());
  },
};

async function expectSeparate(here: TokenStore, there: TokenStore): Promise<void> {
  const first = await saveFirst(here, "here");
  const found = await there.load();
  expectThat(
    found === undefined,
    "separate",
    () => `A value that was saved in one location was loaded from another: ${shown(found)}.`,
  );
  await expectSuccess(there.save("there", undefined), "separate", "The first save() in another location");
  await expectSuccess(here.save("still here", first), "separate", "save() after a save() in another location");
  await there.remove();
  const left = await here.load();
  expectThat(
    left?.value === "still here",
    "separate",
    () => `After remove() in another location, load() returned ${shown(left)}.`,
  );
}

const damaged: StoreCase = {
  name: "rejects unreadable data instead of loading undefined",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, "value");
    await scene.fixture.damage?.();
    await expectUnreadable(await scene.open());
    const refuse = (expected: string | undefined) =>
      expectRejection(
        store.save("over it", expected),
        "unreadable",
        `save("over it", ${inspect(expected)}) overwrote unreadable data.`,
      );
    await refuse(undefined); // a conflict is right as well: something is stored
    expectStoreError(await refuse(version), "failure", "save() over unreadable data, with its last version,");
    await expectUnreadable(store);
  },
};

async function expectUnreadable(store: TokenStore): Promise<void> {
  const error = await expectRejection(store.load(), "unreadable", "load() of unreadable data did not reject.");
  expectStoreError(error, "unreadable", "load() of unreadable data");
}

const wiped: StoreCase = {
  name: "serves no wiped data from memory",
  needs: ["wipe"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, "value");
    await store.load();
    await scene.fixture.wipe?.();
    const found = await store.load().catch((error: unknown) => error);
    const isTold = found === undefined || UnexpiredError.is(found);
    expectThat(isTold, "load", () => `After the data was wiped, load() returned ${shown(found)}.`);
    await expectRejection(store.save("next", version), "save", "save() accepted the version of wiped data.");
  },
};

const described: StoreCase = {
  name: "declares its guarantees and describes its location",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const supports: Partial<TokenStore["supports"]> = Object(store.supports);
    const reaches: unknown[] = ["process", "host", "cluster"];
    const { compareAndSet, durable } = supports;
    expectThat(reaches.includes(compareAndSet), "supports", `supports.compareAndSet is ${inspect(compareAndSet)}.`);
    expectThat(
      typeof durable === "boolean",
      "supports",
      `supports.durable is ${inspect(durable)} instead of true or false.`,
    );
    const location: unknown = store.describe();
    expectThat(
      typeof location === "string" && location.trim() !== "",
      "describe",
      `describe() returned ${inspect(location)}.`,
    );
  },
};

export const valueCases: readonly StoreCase[] = [
  absent,
  ...Object.entries(VALUES).map(([name, value]) => roundTrip(name, value)),
  removed,
  visible,
  separate,
  neighbors,
  damaged,
  wiped,
  described,
];
