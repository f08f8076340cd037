import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { ConformanceError, hold } from "../../contract.ts";
import { begin, type StoreCase } from "./case.ts";

const SECRET = "secret-of-the-conformance-kit";

/** All that a log could make of something. */
const printed = (thing: unknown): string =>
  [
    inspect(thing, { depth: 8, showHidden: true }),
    tryJson(thing),
    thing instanceof Error ? `${thing.stack} ${inspect(thing.cause, { depth: 8, showHidden: true })}` : "",
  ].join("\n");

function tryJson(thing: unknown): string {
  try {
    return JSON.stringify(thing) ?? "";
  } catch {
    return "";
  }
}

const mustNotShow = (thing: unknown, what: string): void =>
  hold(!printed(thing).includes(SECRET), "secrets", `The stored value shows in ${what}.`);

const quiet: StoreCase = {
  name: "shows the value in no description, inspection or conflict",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await begin(store, SECRET);
    await store.load();
    mustNotShow(store.describe(), "describe()");
    mustNotShow(store, "an inspection of the store");
    mustNotShow(version, "the version");
    mustNotShow(await errorOf(store, `${SECRET} 2`), "the error of a save that was refused");
  },
};

async function errorOf(store: TokenStore, value: string): Promise<unknown> {
  try {
    await store.save(value, undefined);
  } catch (error) {
    return error;
  }
  throw new ConformanceError("save", "save() with undefined was accepted, although there is something.");
}

const quietOnDamage: StoreCase = {
  name: "shows the value in no error about what is unreadable",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await begin(store, SECRET);
    await scene.fixture.damage?.();
    mustNotShow(await store.load().catch((error: unknown) => error), "the error of a load");
    mustNotShow(await store.save(SECRET, version).catch((error: unknown) => error), "the error of a save");
    mustNotShow(await store.remove().catch((error: unknown) => error), "the error of a removal");
  },
};

export const secretCases: readonly StoreCase[] = [quiet, quietOnDamage];
