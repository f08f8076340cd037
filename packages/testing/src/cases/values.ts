import { inspect } from "node:util";
import { type TokenStore, UnexpiredError } from "@unexpired/core";
import { hold, rejection } from "../contract.ts";
import type { Scene } from "../scene.ts";
import type { StoreCase } from "./case.ts";

const shown = (found: unknown): string => {
  const text = JSON.stringify(found) ?? "undefined";
  return text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text;
};

const CONTROL = Array.from({ length: 0x20 }, (_, code) => String.fromCharCode(code)).join("");

const VALUES: Readonly<Record<string, string>> = {
  "an ordinary text": '{"tokens":{"accessToken":"a"}}',
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
    const version = await store.save(value, undefined);
    const found = await store.load();
    hold(found?.value === value, "load", () => `After save(${shown(value)}) load() gave ${shown(found)}.`);
    hold(found.version === version, "version", `save() gave the version ${version}, and load() then ${found.version}.`);
  },
});

const absent: StoreCase = {
  name: "has nothing at first, and says so",
  needs: [],
  async run(scene) {
    const found = await (await scene.open()).load();
    hold(found === undefined, "load", () => `Where nothing was saved, load() gave ${shown(found)}.`);
  },
};

const removed: StoreCase = {
  name: "removes what is there, and has nothing afterwards",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    await store.remove();
    await store.save("value", undefined);
    await store.remove();
    const found = await store.load();
    hold(found === undefined, "remove", () => `After remove() load() gave ${shown(found)}.`);
    await store.remove();
    await store.save("another", undefined);
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
      version = await one.save(value, version);
      const found = await other.load();
      hold(
        found?.value === value,
        "load",
        () => `After one store's save("${value}") another one loaded ${shown(found)}.`,
      );
      hold(
        found.version === version,
        "version",
        `One store saved ${version}, and another one loaded ${found.version}.`,
      );
    }
  },
};

const separate: StoreCase = {
  name: "does not mix with another place",
  needs: [],
  async run(scene) {
    const other = await scene.another();
    const [here, there] = [await scene.open(), await other.open()];
    await here.save("here", undefined);
    const found = await there.load();
    hold(
      found === undefined,
      "separate",
      () => `A value that was saved in one place was loaded from another: ${shown(found)}.`,
    );
    await there.save("there", undefined);
    await there.remove();
    const left = await here.load();
    hold(left?.value === "here", "separate", () => `After remove() in another place load() gave ${shown(left)}.`);
  },
};

const damaged: StoreCase = {
  name: "takes what is unreadable for an error, not for nothing",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await store.save("value", undefined);
    await scene.backing.damage?.();
    for (const each of [store, await scene.open()]) {
      const error = await rejection(each.load(), "unreadable", "load() of what had been damaged did not reject.");
      const isOurs = UnexpiredError.is(error) && error.code.startsWith("STORE_");
      hold(isOurs, "unreadable", () => `load() of what had been damaged rejected with ${inspect(error)}.`);
    }
    await rejection(store.save("over it", version), "unreadable", "save() wrote over what had been damaged.");
  },
};

const wiped: StoreCase = {
  name: "keeps nothing in memory that was taken away",
  needs: ["wipe"],
  async run(scene) {
    const store = await scene.open();
    const version = await store.save("value", undefined);
    await store.load();
    await scene.backing.wipe?.();
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
    const { supports, ...store }: Pick<TokenStore, "supports" | "describe"> = await plain(scene);
    const reaches = ["process", "host", "cluster"];
    hold(
      reaches.includes(supports?.compareAndSet),
      "supports",
      () => `supports.compareAndSet is ${shown(supports?.compareAndSet)}.`,
    );
    hold(
      typeof supports.durable === "boolean",
      "supports",
      () => `supports.durable is ${shown(supports.durable)}, and not true or false.`,
    );
    const place: unknown = store.describe();
    hold(typeof place === "string" && place.trim() !== "", "describe", () => `describe() gave ${shown(place)}.`);
  },
};

async function plain(scene: Scene) {
  const store = await scene.open();
  return { supports: store.supports, describe: () => store.describe() };
}

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
