import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fork } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import type { FileKeychainOptions } from "./fixtures/file-keychain.ts";
import { openStore } from "./fixtures/open-store.ts";
import { freshDirectory, itemsOf, module, placeIn } from "./support.ts";

const LIMITS = [
  { size: 2_560, unit: "bytes" },
  { size: 1_280, unit: "utf16" },
] as const;
const text = (letter: string) => letter.repeat(5_000);

/** The items that are not emptied. */
const secretsOf = (directory: string): string[] =>
  itemsOf(directory).filter((name) => readFileSync(join(directory, "keychain", name), "utf16le") !== "-");

/** Two minutes pass for what a writer had not published. */
function age(directory: string): void {
  const past = Date.now() / 1000 - 120;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (name.includes("draft-")) utimesSync(join(directory, name), past, past);
  }
}

describe.each(LIMITS)("a writer that dies with $size $unit for each item", (limit) => {
  const parts = Math.ceil(5_002 / limit.size);

  /** Saves `b` over `a`, in a process that ends itself before the call with that number. */
  async function dieAt(killAt: number) {
    const directory = freshDirectory();
    const place = placeIn(directory, limit);
    const store = await openStore(place);
    await store.save(text("a"), undefined);
    const argument = { ...place, backend: { ...(place.backend as FileKeychainOptions), killAt } };
    await using writer = fork({ module, argument }, { do: "save", value: text("b") });
    await writer.ended;
    return { directory, place };
  }

  // The new items are written, and then the old ones deleted, and what another program may have left.
  const points = Array.from({ length: 2 * parts + 1 }, (_, index) => index + 1);

  it.each(points)(
    "before change %i leaves the old or the new, whole, and no more of it than the next save",
    async (point) => {
      const { directory, place } = await dieAt(point);
      const store = await openStore(place);
      const found = await store.load();
      expect(found?.value).toBe(text(point <= parts ? "a" : "b"));
      age(place.directory);
      const version = await store.save(text("c"), found?.version);
      expect(await store.load()).toEqual({ value: text("c"), version });
      // Its own, and those of the one before, emptied.
      expect(secretsOf(directory)).toHaveLength(parts);
      expect(itemsOf(directory)).toHaveLength(2 * parts);
    },
  );
});
