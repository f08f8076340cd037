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

/** Makes unpublished drafts look two minutes old. */
function ageDrafts(directory: string): void {
  const past = Date.now() / 1000 - 120;
  for (const name of readdirSync(directory, { recursive: true, encoding: "utf8" })) {
    if (name.includes("draft-")) utimesSync(join(directory, name), past, past);
  }
}

/** The length of the writer's session, and the lengths of the sessions before it. */
const SAVES = [
  // New items are written.
  { save: "into new items", before: [5_000], length: 5_000 },
  // Existing items are overwritten, and those that are no longer needed are deleted.
  { save: "over a longer session", before: [9_000, 100], length: 5_000 },
  { save: "over a shorter session", before: [100, 9_000], length: 5_000 },
] as const;

describe.each(LIMITS)("a writer that is killed, with $size $unit per item", (limit) => {
  describe.each(SAVES)("while it saves $save", ({ before, length }) => {
    const parts = partsOf(length, limit);
    const over = partsOf(before.at(-2) ?? length, limit);
    const points = Array.from({ length: Math.max(parts, over) + 1 }, (_, index) => index + 1);

    /** Saves `b` in a process that kills itself before its change to the keychain number `killAt`. */
    async function killWriterAt(killAt: number) {
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

    it.each(points)(
      "leaves the complete old or new session, and no items after later saves (before change %i)",
      async (point) => {
        const { directory, argument } = await killWriterAt(point);
        const store = await openStore(argument);
        const found = await store.load();
        const old = repeated("a", before.at(-1) ?? 0);
        // After the last of these changes, the new session is published; only cleanup remains.
        expect(found?.value).toBe(point <= Math.max(parts, over) ? old : repeated("b", length));
        ageDrafts(argument.directory);
        let version = found?.version;
        for (const each of ["c", "d"]) version = await store.save(repeated(each, 300), version);
        expect(await store.load()).toEqual({ value: repeated("d", 300), version });
        expect(itemFilesIn(directory)).toHaveLength(2);
        await store.remove();
        expect(itemFilesIn(directory)).toEqual([]);
      },
    );
  });
});
