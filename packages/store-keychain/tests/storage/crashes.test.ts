import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fork } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import type { FileKeychainOptions } from "../fixtures/file-keychain.ts";
import { openStore } from "../fixtures/open-keychain-store.ts";
import { argumentIn, itemFilesIn, storeModule } from "../support/file-keychain-store.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const LIMITS = [
  { size: 2_560, unit: "bytes" },
  { size: 1_280, unit: "utf16" },
] as const;
const repeated = (letter: string, length: number) => letter.repeat(length);
const partsOf = (length: number, { size }: { size: number }) => Math.ceil((length + 2) / size);

/** Two minutes pass for what a writer had not published. */
function ageDrafts(directory: string): void {
  const past = Date.now() / 1000 - 120;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (name.includes("draft-")) utimesSync(join(directory, name), past, past);
  }
}

/** The writer's session, and what came before it. */
const SAVES = [
  // The new items are written, and what another program may have left is deleted.
  { what: "into new items", before: [5_000], length: 5_000 },
  // As many are overwritten as are needed, and the others deleted.
  { what: "over longer ones", before: [9_000, 100], length: 5_000 },
  { what: "over shorter ones", before: [100, 9_000], length: 5_000 },
] as const;

describe.each(LIMITS)("a writer that dies with $size $unit for each item", (limit) => {
  describe.each(SAVES)("$what", ({ before, length }) => {
    const parts = partsOf(length, limit);
    const over = partsOf(before.at(-2) ?? length, limit);
    const points = Array.from({ length: Math.max(parts, over) + 1 }, (_, index) => index + 1);

    /** Saves `b`, in a process that ends itself before the change of the keychain with that number. */
    async function dieAt(killAt: number) {
      const directory = freshDirectory();
      const argument = argumentIn(directory, limit);
      const store = await openStore(argument);
      let version: string | undefined;
      for (const each of before) version = await store.save(repeated("a", each), version);
      const dying = { ...argument, backend: { ...(argument.backend as FileKeychainOptions), killAt } };
      await using writer = fork({ module: storeModule, argument: dying }, { do: "save", value: repeated("b", length) });
      await writer.ended;
      return { directory, argument };
    }

    it.each(points)("before change %i leaves the old or the new, whole, and nothing else for long", async (point) => {
      const { directory, argument } = await dieAt(point);
      const store = await openStore(argument);
      const found = await store.load();
      const old = repeated("a", before.at(-1) ?? 0);
      // What is left to do when it is written is to delete what is left of the longer one, and of another program.
      expect(found?.value).toBe(point <= Math.max(parts, over) ? old : repeated("b", length));
      ageDrafts(argument.directory);
      let version = found?.version;
      for (const each of ["c", "d"]) version = await store.save(repeated(each, 300), version);
      expect(await store.load()).toEqual({ value: repeated("d", 300), version });
      expect(itemFilesIn(directory)).toHaveLength(2);
      await store.remove();
      expect(itemFilesIn(directory)).toEqual([]);
    });
  });
});
