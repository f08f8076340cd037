import { appendFileSync, closeSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { setImmediate, setTimeout } from "node:timers/promises";
import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const turns = new Map<string, Promise<unknown>>();
const unwritten = new Map<string, Row>();

/** Acquires a lock file, or throws after 2 seconds. */
function lock(path: string): void {
  for (const end = Date.now() + 2000; ; ) {
    try {
      closeSync(openSync(path, "wx"));
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

const lost: readonly Mutant[] = [
  {
    name: "lets other processes save between comparing and setting",
    caughtBy: "loses no update if 8 processes increment up to 100 times each",
    clause: "save",
    says: "some saves were accepted but lost.",
    Store: class extends ReferenceStore {
      override save(value: string, expected: string | undefined) {
        const turn = (turns.get(this.path) ?? Promise.resolve()).then(() => this.#save(value, expected));
        turns.set(
          this.path,
          turn.catch(() => {}),
        );
        return turn;
      }

      async #save(value: string, expected: string | undefined) {
        if (!this.accepts(expected, await this.load())) return this.refuse(value);
        await setImmediate();
        const version = this.nextVersion(value);
        this.write(value, version);
        return version;
      }
    },
  },
  {
    name: "reads the version later than the value",
    caughtBy: "loses no update if 8 processes increment up to 100 times each",
    clause: "save",
    says: "some saves were accepted but lost.",
    Store: class extends ReferenceStore {
      override async load() {
        const found = await super.load();
        await setTimeout(1);
        return found && { ...found, version: this.row()?.version ?? found.version };
      }
    },
  },
  {
    name: "fails if two processes save concurrently",
    caughtBy: "loses no update if 8 processes increment up to 100 times each",
    clause: "save",
    says: "cannot be used (database is locked)",
    Store: class extends ReferenceStore {
      override transaction<T>(body: () => T): T {
        this.run("PRAGMA busy_timeout = 0");
        return super.transaction(body);
      }
    },
  },
];

const torn: readonly Mutant[] = [
  {
    name: "writes a value in two steps",
    caughtBy: "loads a complete old or new value during a save",
    clause: "whole",
    says: "which was never saved.",
    Store: class extends ReferenceStore {
      override transaction<T>(body: () => T): T {
        return body();
      }

      override write(text: string, version: string) {
        super.write(text.slice(0, text.length / 2), version);
        super.write(text, version);
      }
    },
  },
  {
    name: "reads a long value in two steps",
    caughtBy: "loads a complete old or new value during a save",
    clause: "whole",
    says: "During a save, load() returned '",
    Store: class extends ReferenceStore {
      override async load() {
        const first = await super.load();
        if (!first || first.value.length < 4096) return first;
        await setImmediate();
        const second = (await super.load()) ?? first;
        return { ...second, value: first.value.slice(0, 4096) + second.value.slice(4096) };
      }
    },
  },
];

const KILLED = "keeps a complete old or new value when a writer is killed, 50 times";

const killed: readonly Mutant[] = [
  {
    name: "writes in place, under a lock",
    caughtBy: KILLED,
    clause: "whole",
    says: "After a writer was killed, load() returned '",
    Store: class extends ReferenceStore {
      override async load() {
        return this.transaction(() => this.parse(this.row()));
      }

      override row() {
        const row = super.row();
        return typeof row?.value === "string" ? { ...row, value: readFileSync(`${this.path}.value`, "utf8") } : row;
      }

      override write(text: string, version: string) {
        super.write("", version);
        writeFileSync(`${this.path}.value`, "");
        for (let at = 0; at < text.length; at += 500) appendFileSync(`${this.path}.value`, text.slice(at, at + 500));
      }
    },
  },
  {
    name: "uses a lock that outlives its holder",
    caughtBy: KILLED,
    clause: "whole",
    says: "save() in another process, after a writer was killed, failed: A process that used the store ended with 1: Error: EEXIST",
    Store: class extends ReferenceStore {
      override transaction<T>(body: () => T): T {
        lock(`${this.path}.lock`);
        try {
          return super.transaction(body);
        } finally {
          rmSync(`${this.path}.lock`);
        }
      }
    },
  },
  {
    name: "writes some time after save() has resolved",
    caughtBy: KILLED,
    clause: "whole",
    says: "A writer was killed after it saved value ",
    Store: class extends ReferenceStore {
      #late: NodeJS.Timeout | undefined;

      override row() {
        return unwritten.get(this.path) ?? super.row();
      }

      override write(value: string, version: string) {
        if (!this.row()) return super.write(value, version);
        unwritten.set(this.path, { value, version });
        this.#late ??= globalThis.setTimeout(() => this.#flush(), 20);
      }

      #flush() {
        const { value, version } = unwritten.get(this.path) ?? {};
        if (version !== undefined) super.write(String(value), version);
        unwritten.delete(this.path);
        this.#late = undefined;
      }

      override async [Symbol.asyncDispose]() {
        clearTimeout(this.#late);
        await super[Symbol.asyncDispose]();
      }
    },
  },
];

export const processMutants: readonly Mutant[] = [...lost, ...torn, ...killed];
