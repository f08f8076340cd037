import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import { StoreConflictError, type StoredValue } from "@unexpired/core";
import { ReferenceStore } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const named: readonly Mutant[] = [
  {
    name: "returns no version",
    caughtBy: "returns a new version for each save",
    clause: "version",
    says: "save() returned the version undefined.",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        await super.save(value, expected);
        return undefined as unknown as string;
      }
    },
  },
  {
    name: "uses a hash of the value as the version",
    caughtBy: "returns a new version for each save",
    clause: "version",
    says: "a second time.",
    Store: class extends ReferenceStore {
      override nextVersion(value: string) {
        return createHash("sha256").update(value).digest("hex");
      }
    },
  },
  {
    name: "uses the file's modification time in seconds as the version",
    caughtBy: "returns a new version for each save",
    clause: "version",
    says: "a second time.",
    Store: class extends ReferenceStore {
      override nextVersion() {
        return String(Math.floor(statSync(this.path).mtimeMs / 1000));
      }
    },
  },
  {
    name: "does not save an equal value",
    caughtBy: "returns a new version for each save",
    clause: "version",
    says: "a second time.",
    Store: class extends ReferenceStore {
      override nextVersion(value: string) {
        const found = this.parse(this.row());
        return found?.value === value ? found.version : super.nextVersion(value);
      }
    },
  },
  {
    name: "counts versions from 1 again after remove()",
    caughtBy: "never reuses a version after remove and a new save",
    clause: "version",
    says: "After remove(), save() returned the version 1 again.",
    Store: class extends ReferenceStore {
      override nextVersion() {
        return String(Number(this.row()?.version ?? 0) + 1);
      }
    },
  },
  {
    name: "loads a different version than save() returned",
    caughtBy: "makes a save visible to every other holder immediately",
    clause: "version",
    says: "but load() of another store returned",
    Store: class extends ReferenceStore {
      #own = "";

      override async load() {
        const found = await super.load();
        return found && found.version !== this.#own ? { ...found, version: `W/${found.version}` } : found;
      }

      override nextVersion(value: string) {
        this.#own = super.nextVersion(value);
        return this.#own;
      }

      override accepts(expected: string | undefined, found: StoredValue | undefined) {
        return super.accepts(expected?.replace("W/", ""), found);
      }
    },
  },
];

const compared: readonly Mutant[] = [
  {
    name: "saves regardless of the expected version",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: "was accepted, although another save() has been accepted since that version. It resolved to ",
    Store: class extends ReferenceStore {
      override accepts() {
        return true;
      }
    },
  },
  {
    name: "accepts the version that it saved last itself",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: "was accepted, although another save() has been accepted since that version.",
    Store: class extends ReferenceStore {
      #own: string | undefined;

      override nextVersion(value: string) {
        this.#own = super.nextVersion(value);
        return this.#own;
      }

      override accepts(expected: string | undefined, found: StoredValue | undefined) {
        return super.accepts(expected, found) || (expected !== undefined && expected === this.#own);
      }
    },
  },
  {
    name: "accepts undefined for any version",
    caughtBy: "rejects undefined if a value is stored, and a version if none is",
    clause: "save",
    says: 'save("refused", undefined) was accepted, although a value is stored, and undefined means that nothing is.',
    Store: class extends ReferenceStore {
      override accepts(expected: string | undefined, found: StoredValue | undefined) {
        return expected === undefined || super.accepts(expected, found);
      }
    },
  },
  {
    name: "accepts any version if nothing is stored",
    caughtBy: "rejects undefined if a value is stored, and a version if none is",
    clause: "save",
    says: "was accepted, although nothing is stored.",
    Store: class extends ReferenceStore {
      override accepts(expected: string | undefined, found: StoredValue | undefined) {
        return found === undefined || super.accepts(expected, found);
      }
    },
  },
];

const refused: readonly Mutant[] = [
  {
    name: "rejects a conflict with a plain error",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: "rejected with something other than a StoreConflictError: Error: The version has changed.",
    Store: class extends ReferenceStore {
      override refuse(): never {
        throw new Error("The version has changed.");
      }
    },
  },
  {
    name: "ignores a conflict without an error",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: "was accepted, although another save() has been accepted since that version.",
    Store: class extends ReferenceStore {
      override refuse() {
        return this.row()?.version ?? "";
      }
    },
  },
  {
    name: "saves a value although it rejects it",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: "was rejected, but changed the stored data.",
    Store: class extends ReferenceStore {
      override refuse(value: string): never {
        this.write(value, this.nextVersion(value));
        throw new StoreConflictError(this.describe());
      }
    },
  },
];

const raced: readonly Mutant[] = [
  {
    name: "lets other stores save between comparing and setting",
    caughtBy: "accepts exactly one of several concurrent saves",
    clause: "save",
    says: "Of 4 concurrent saves with the same expected version, 4 were accepted.",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        if (!this.accepts(expected, await this.load())) return this.refuse(value);
        await setImmediate();
        const version = this.nextVersion(value);
        this.write(value, version);
        return version;
      }
    },
  },
];

export const versionMutants: readonly Mutant[] = [...named, ...compared, ...refused, ...raced];
