import { inspect } from "node:util";
import type { TokenStore } from "@unexpired/core";
import { ConformanceError, expectThat } from "../../contract.ts";
import type { StoreScene } from "../scene.ts";
import { type StoreCase, saveFirst } from "./case.ts";

const SECRET = "secret-of-the-conformance-kit";

/** Renders a value in every way in which it could reach a log. */
export const everyRendering = (thing: unknown): string =>
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

/** Expects that neither the stored value nor a secret of the harness appears in `thing`. */
function expectHidden({ secrets }: StoreScene, thing: unknown, what: string): void {
  const text = everyRendering(thing);
  const isShown = (secret: string) => [secret, encodeURIComponent(secret)].some((form) => text.includes(form));
  expectThat(!isShown(SECRET), "secrets", `The stored value appears in ${what}.`);
  expectThat(!secrets.some(isShown), "secrets", `A secret of the harness appears in ${what}.`);
}

const hidden: StoreCase = {
  name: "hides secrets from descriptions, inspections and conflict errors",
  needs: [],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, SECRET);
    await store.load();
    expectHidden(scene, store.describe(), "describe()");
    expectHidden(scene, store, "an inspection of the store");
    expectHidden(scene, version, "the version");
    expectHidden(scene, await errorOf(store, `${SECRET} 2`), "the error of a rejected save");
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
  name: "hides secrets from errors about unreadable data",
  needs: ["damage"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, SECRET);
    await scene.fixture.damage?.();
    await expectErrorsHide(scene, store, version);
  },
};

const hiddenIfInterrupted: StoreCase = {
  name: "hides secrets from errors about unavailable storage",
  needs: ["interrupt"],
  async run(scene) {
    const store = await scene.open();
    const version = await saveFirst(store, SECRET);
    await scene.interrupt(() => expectErrorsHide(scene, store, version));
  },
};

async function expectErrorsHide(scene: StoreScene, store: TokenStore, version: string): Promise<void> {
  const failures = {
    load: () => store.load().then(() => undefined),
    save: () => store.save(SECRET, version),
    removal: () => store.remove(),
  };
  for (const [name, fail] of Object.entries(failures))
    expectHidden(scene, await fail().catch((error: unknown) => error), `the error of a ${name}`);
}

export const secretCases: readonly StoreCase[] = [hidden, hiddenIfDamaged, hiddenIfInterrupted];
