import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { StoredValue } from "@unexpired/core";
import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const locations: readonly Mutant[] = [
  {
    name: "loads once, and then returns the value from memory",
    caughtBy: "makes a save visible to every other holder immediately",
    clause: "load",
    says: 'After save("first") by one store, load() of another store on the same location returned undefined.',
    Store: class extends ReferenceStore {
      #seen: { readonly found: StoredValue | undefined } | undefined;

      override async load() {
        this.#seen ??= { found: await super.load() };
        return this.#seen.found;
      }

      override async save(value: string, expected: string | undefined) {
        const version = await super.save(value, expected);
        this.#seen = { found: { value, version } };
        return version;
      }

      override async remove() {
        this.#seen = undefined;
        await super.remove();
      }
    },
  },
  {
    name: "stores every location under one key",
    caughtBy: "keeps locations separate",
    clause: "separate",
    says: "A value that was saved in one location was loaded from another",
    Store: class extends ReferenceStore {
      constructor(path: string) {
        super(join(dirname(dirname(path)), "shared.db"));
      }
    },
  },
  {
    name: "removes every location",
    caughtBy: "keeps locations separate",
    clause: "separate",
    says: "After remove() in another location, load() returned undefined.",
    Store: class extends ReferenceStore {
      override async remove() {
        const root = dirname(dirname(this.path));
        for (const name of readdirSync(root)) {
          await using store = new ReferenceStore(join(root, name, "session.db"));
          await store.remove();
        }
      }
    },
  },
  {
    name: "serves wiped data from memory",
    caughtBy: "serves no wiped data from memory",
    clause: "load",
    says: "After the data was wiped, load() returned {",
    Store: class extends ReferenceStore {
      #last: Row | undefined;

      override row() {
        this.#last = super.row() ?? this.#last;
        return this.#last;
      }

      override async remove() {
        this.#last = undefined;
        await super.remove();
      }
    },
  },
];

const NEIGHBORS = "keeps the keys of one database separate";

const neighbors: readonly Mutant[] = [
  {
    name: "ignores its key",
    caughtBy: NEIGHBORS,
    clause: "separate",
    says: "A value that was saved in one location was loaded from another",
    Store: class extends ReferenceStore {
      constructor(path: string) {
        super(path);
      }
    },
  },
  {
    name: "removes every key",
    caughtBy: NEIGHBORS,
    clause: "separate",
    says: "After remove() in another location, load() returned undefined.",
    Store: class extends ReferenceStore {
      override async remove() {
        this.run("DELETE FROM session");
      }
    },
  },
  {
    name: "compares with the latest version of all keys",
    caughtBy: NEIGHBORS,
    clause: "separate",
    says: "save() after a save() in another location failed: ",
    Store: class extends ReferenceStore {
      override accepts(expected: string | undefined, found: StoredValue | undefined) {
        const latest = this.get("SELECT version FROM session ORDER BY rowid DESC LIMIT 1")?.version;
        return super.accepts(expected, found) && (expected === undefined || expected === latest);
      }
    },
  },
];

const damaged: readonly Mutant[] = [
  {
    name: "treats unreadable data as absent",
    caughtBy: "rejects unreadable data instead of loading undefined",
    clause: "unreadable",
    says: "load() of unreadable data did not reject. It resolved to undefined.",
    Store: class extends ReferenceStore {
      override complain() {
        return undefined;
      }
    },
  },
  {
    name: "throws a plain error for unreadable data",
    caughtBy: "rejects unreadable data instead of loading undefined",
    clause: "unreadable",
    says: "rejected with something other than a StoreError: SyntaxError",
    Store: class extends ReferenceStore {
      override complain() {
        return JSON.parse("{");
      }
    },
  },
  {
    name: "overwrites unreadable data",
    caughtBy: "rejects unreadable data instead of loading undefined",
    clause: "unreadable",
    says: 'save("over it", undefined) overwrote unreadable data.',
    Store: class extends ReferenceStore {
      override replace(value: string, expected: string | undefined) {
        if (typeof this.row()?.value !== "string") this.run("DELETE FROM session");
        return super.replace(value, expected);
      }
    },
  },
];

export const locationMutants: readonly Mutant[] = [...locations, ...neighbors, ...damaged];
