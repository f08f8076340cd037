import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { ConformanceError, expectThat } from "../../contract.ts";
import { type StoreCase, saveFirst } from "./case.ts";

const SECRET = "secret-of-the-conformance-kit";

/** Renders a value in every way in which it could reach a log. */
const everyRendering = (thing: unknown): string =>
  [
    inspect(thing, { depth: 8, showHidden: true }),
    tryJson(thing),
    `${Object(thing).stack} ${inspect(Object(thing).cause, { depth: 8, showHidden: true })}`,
  ].join("\n");

function tryJson(thing: unknown): string {
  try {
    return JSON.stringify(thing) ?? "";
  } catch {
    return "";
  }
}

const expectHidden = (thing: unknown, what: string): void =>
  expectThat(!everyRendering(thing).includes(SECRET), "secrets", `The stored value appears in ${what}.`);

const hidden: StoreCase = {
  name: "hides the value from descriptions, inspections and conflict errors",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, SECRET);
    await store.load();
    expectHidden(store.describe(), "describe()");
    expectHidden(store, "an inspection of the store");
    expectHidden(version, "the version");
    expectHidden(await errorOf(store, `${SECRET} 2`), "the error of a rejected save");
  },
};

async function errorOf(store: TokenStore, value: string): Promise<unknown> {
  try {
    await store.save(value, undefined);
  } catch (error) {
    return error;
  }
  throw new ConformanceError("save", "save() that expected undefined was accepted, although a value is stored.");
}

const hiddenIfDamaged: StoreCase = {
  name: "hides the value from errors about unreadable data",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, SECRET);
    await scene.fixture.damage?.();
    expectHidden(await store.load().catch((error: unknown) => error), "the error of a load");
    expectHidden(await store.save(SECRET, version).catch((error: unknown) => error), "the error of a save");
    expectHidden(await store.remove().catch((error: unknown) => error), "the error of a removal");
  },
};

export const secretCases: readonly StoreCase[] = [hidden, hiddenIfDamaged];
