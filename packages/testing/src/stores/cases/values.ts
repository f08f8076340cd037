import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { hold, rejection, success } from "../../contract.ts";
import { begin, type StoreCase, shown } from "./case.ts";

const CONTROL = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join("");

const VALUES: Readonly<Record<string, string>> = {
  "an ordinary text": '{ "tokens": {"accessToken":"a"}, "schema":1 }',
  "the empty string": "",
  unicode: "é 漢字 🔑 \u{10FFFF} \uFEFF \u2028 e\u0301",
  "every control character": `${CONTROL}\u007F\u0080\u009F`,
  "64 kB": "0123456789abcdef".repeat(4096),
  "what looks like something else": "null",
  "spaces and line breaks at its ends": " \r\n value \n\t ",
};

/** One value, saved and loaded. */
const roundTrip = (name: string, value: string): StoreCase => ({
  name: `keeps ${name}`,
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await begin(store, value);
    const found = await success(store.load(), "load", `load() after save(${shown(value)}, undefined)`);
    hold(found?.value === value, "load", () => `After save(${shown(value)}) load() gave ${shown(found?.value)}.`);
    hold(
      found.version === version,
      "version",
      () => `save() gave the version ${shown(version)}, and load() then ${shown(found.version)}.`,
    );
  },
});

const absent: StoreCase = {
  name: "has nothing at first, and says so",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const found = await success(store.load(), "load", "load() where nothing was saved");
    hold(found === undefined, "load", () => `Where nothing was saved, load() gave ${shown(found)}.`);
  },
};

const removed: StoreCase = {
  name: "removes what is there, and has nothing afterwards",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const remove = (where: string) => success(store.remove(), "remove", `remove() where ${where}`);
    await remove("nothing was saved");
    await begin(store, "value");
    await remove("there is something");
    const found = await store.load();
    hold(found === undefined, "remove", () => `After remove() load() gave ${shown(found)}.`);
    await remove("all was removed");
    await success(store.save("another", undefined), "remove", "save() after remove()");
    const next = await store.load();
    hold(next?.value === "another", "remove", () => `After remove() and save("another") load() gave ${shown(next)}.`);
  },
};

const visible: StoreCase = {
  name: "shows a save to every other holder at once",
  needs: [],
  async run(scene) {
    const [one, other] = [await scene.open(), await scene.open()];
    let version: string | undefined;
    for (const value of ["first", "second", "third"]) {
      await other.load();
      version = await success(one.save(value, version), "save", `save("${value}") over the version that save() gave`);
      const found = await other.load();
      hold(
        found?.value === value,
        "load",
        () => `After save("${value}") by one store load() of another one on the same location gave ${shown(found)}.`,
      );
      hold(
        found.version === version,
        "version",
        `save() of one store gave the version ${version}, and load() of another one ${found.version}.`,
      );
    }
  },
};

const separate: StoreCase = {
  name: "does not mix with another place",
  needs: [],
  async run(scene) {
    const other = await scene.createScene();
    const [here, there] = [await scene.open(), await other.open()];
    await begin(here, "here");
    const found = await there.load();
    hold(
      found === undefined,
      "separate",
      () => `A value that was saved in one location was loaded from another: ${shown(found)}.`,
    );
    await begin(there, "there");
    await there.remove();
    const left = await here.load();
    hold(left?.value === "here", "separate", () => `After remove() in another location load() gave ${shown(left)}.`);
  },
};

const damaged: StoreCase = {
  name: "takes what is unreadable for an error, not for nothing",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await begin(store, "value");
    await scene.fixture.damage?.();
    const others = [undefined, version].map((expected) => ({
      expected,
      text: JSON.stringify(expected) ?? "undefined",
    }));
    await mustNotRead(await scene.open());
    for (const { expected, text } of others)
      await rejection(store.save("over it", expected), "unreadable", `save("over it", ${text}) wrote over the damage.`);
    await mustNotRead(store);
  },
};

async function mustNotRead(store: TokenStore): Promise<void> {
  const error = await rejection(store.load(), "unreadable", "load() of what had been damaged did not reject.");
  const isOurs = UnexpiredError.is(error) && (error.code === "STORE_UNREADABLE" || error.code === "STORE_UNAVAILABLE");
  hold(
    isOurs,
    "unreadable",
    () => `load() of what had been damaged rejected with what is no StoreError: ${inspect(error)}.`,
  );
}

const wiped: StoreCase = {
  name: "keeps nothing in memory that was taken away",
  needs: ["wipe"],
  async run(scene) {
    const store = await scene.open();
    const version = await begin(store, "value");
    await store.load();
    await scene.fixture.wipe?.();
    const found = await store.load().catch((error: unknown) => error);
    const isTold = found === undefined || UnexpiredError.is(found);
    hold(isTold, "load", () => `After everything had been taken away load() gave ${shown(found)}.`);
    await rejection(store.save("next", version), "save", "save() accepted the version of what had been taken away.");
  },
};

const told: StoreCase = {
  name: "says what it supports and where it is",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const supports: Partial<TokenStore["supports"]> = Object(store.supports);
    const reaches: unknown[] = ["process", "host", "cluster"];
    const { compareAndSet, durable } = supports;
    hold(reaches.includes(compareAndSet), "supports", `supports.compareAndSet is ${inspect(compareAndSet)}.`);
    hold(typeof durable === "boolean", "supports", `supports.durable is ${inspect(durable)}, and not true or false.`);
    const location: unknown = store.describe();
    hold(typeof location === "string" && location.trim() !== "", "describe", `describe() gave ${inspect(location)}.`);
  },
};

export const valueCases: readonly StoreCase[] = [
  absent,
  ...Object.entries(VALUES).map(([name, value]) => roundTrip(name, value)),
  removed,
  visible,
  separate,
  damaged,
  wiped,
  told,
];
