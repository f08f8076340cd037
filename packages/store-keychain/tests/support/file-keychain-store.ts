import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backing } from "@unexpired/testing";
import { onTestFinished } from "vitest";
import type { Limit } from "../fixtures/file-keychain.ts";
import { openStore, type Place } from "../fixtures/open-keychain-store.ts";

export const module = new URL("../fixtures/open-keychain-store.ts", import.meta.url);

/** An empty directory for one test. */
export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A place in a keychain of files. */
export const placeIn = (directory: string, limit?: Limit): Place => ({
  service: "unexpired tests",
  account: "ada",
  directory: join(directory, "state"),
  backend: { directory: join(directory, "keychain"), limit },
});

/** The items of a keychain of files. */
export const itemsOf = (directory: string): string[] => readdirSync(join(directory, "keychain")).sort();

/** A place for one case of the kit, in a keychain of files. */
export function fileBacking(limit?: Limit): Backing {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  const argument = placeIn(directory, limit);
  const items = () => itemsOf(directory).map((name) => join(directory, "keychain", name));
  return {
    open: () => openStore(argument),
    elsewhere: { module, argument },
    damage: () => {
      for (const item of items()) writeFileSync(item, "damaged");
    },
    wipe: () => {
      for (const item of items()) rmSync(item);
    },
    dispose: () => rmSync(directory, { recursive: true }),
  };
}
