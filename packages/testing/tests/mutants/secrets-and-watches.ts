import { setTimeout } from "node:timers/promises";
import { StoreConflictError, StoreError } from "@unexpired/core";
import { PASSWORD, ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const textOf = (damaged: unknown): string => Buffer.from(damaged as Uint8Array).toString();

const secrets: readonly Mutant[] = [
  {
    name: "quotes the value in a conflict error",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "The stored value appears in the error of a rejected save.",
    Store: class extends ReferenceStore {
      override refuse(value: string): never {
        throw new StoreConflictError(`${this.describe()} (${value})`);
      }
    },
  },
  {
    name: "includes the value in its description",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "The stored value appears in describe().",
    Store: class extends ReferenceStore {
      override describe() {
        return `${this.path}: ${this.row()?.value}`;
      }
    },
  },
  {
    name: "keeps the saved value in a public field",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "The stored value appears in an inspection of the store.",
    Store: class extends ReferenceStore {
      last: string | undefined;

      override encode(value: string) {
        this.last = value;
        return value;
      }
    },
  },
  {
    name: "starts a version with the value",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "The stored value appears in the version.",
    Store: class extends ReferenceStore {
      override nextVersion(value: string) {
        return `${value.slice(0, 40)} ${super.nextVersion(value)}`;
      }
    },
  },
  {
    name: "shows its password in its description",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "A secret of the harness appears in describe().",
    Store: class extends ReferenceStore {
      override describe() {
        return `https://me:${encodeURIComponent(PASSWORD)}@localhost/${this.path}`;
      }
    },
  },
  {
    name: "keeps its password in a public field",
    caughtBy: "hides secrets from descriptions, inspections and conflict errors",
    clause: "secrets",
    says: "A secret of the harness appears in an inspection of the store.",
    Store: class extends ReferenceStore {
      readonly options = { password: PASSWORD };
    },
  },
  {
    name: "passes on an error that quotes its password",
    caughtBy: "hides secrets from errors about unavailable storage",
    clause: "secrets",
    says: "A secret of the harness appears in the error of a load.",
    Store: class extends ReferenceStore {
      override fail(cause: Error): never {
        return super.fail(Object.assign(new Error(cause.message), { config: { password: PASSWORD } }));
      }
    },
  },
  {
    name: "quotes the value that it could not save",
    caughtBy: "hides secrets from errors about unavailable storage",
    clause: "secrets",
    says: "The stored value appears in the error of a save.",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        return super.save(value, expected).catch((error) => {
          throw error instanceof StoreConflictError ? error : this.fail(new Error(`Cannot save ${value}`));
        });
      }
    },
  },
  {
    name: "quotes unreadable data",
    caughtBy: "hides secrets from errors about unreadable data",
    clause: "secrets",
    says: "The stored value appears in the error of a load.",
    Store: class extends ReferenceStore {
      override complain({ value }: Row): never {
        const problem = `holds ${textOf(value)}`;
        throw new StoreError("STORE_UNREADABLE", { location: this.path, problem, hint: "Remove it." });
      }
    },
  },
  {
    name: "wraps an error that quotes unreadable data",
    caughtBy: "hides secrets from errors about unreadable data",
    clause: "secrets",
    says: "The stored value appears in the error of a load.",
    Store: class extends ReferenceStore {
      override complain({ value }: Row): never {
        const cause = new SyntaxError(`Unexpected token in ${textOf(value)}`);
        throw new StoreError("STORE_UNREADABLE", { location: this.path, problem: "is damaged", hint: "", cause });
      }
    },
  },
];

const NOTIFIES = "notifies watchers of another holder's saves until they stop";

const watches: readonly Mutant[] = [
  {
    name: "never calls back",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() did not report another holder's save within 5000 ms.",
    Store: class extends ReferenceStore {
      override changes() {
        return 0;
      }
    },
  },
  {
    name: "calls back for its own saves only",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() did not report another holder's save within 5000 ms.",
    Store: class extends ReferenceStore {
      #saves = 0;

      override nextVersion(value: string) {
        this.#saves++;
        return super.nextVersion(value);
      }

      override changes() {
        return this.#saves;
      }
    },
  },
  {
    name: "calls back once",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() did not report another holder's save within 5000 ms.",
    Store: class extends ReferenceStore {
      override watch(onChange: () => void) {
        const stop = super.watch(() => {
          stop();
          onChange();
        });
        return stop;
      }
    },
  },
  {
    name: "returns no function that stops a watch",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() did not return a function that stops it.",
    Store: class extends ReferenceStore {
      override watch(onChange: () => void) {
        super.watch(onChange);
        return undefined as never;
      }
    },
  },
  {
    name: "continues after it was stopped",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() called back after it had been stopped.",
    Store: class extends ReferenceStore {
      override watch(onChange: () => void) {
        super.watch(onChange);
        return () => {};
      }
    },
  },
  {
    name: "stops all watches when one is stopped",
    caughtBy: NOTIFIES,
    clause: "watch",
    says: "watch() did not report another holder's save after another watch was stopped within 5000 ms.",
    Store: class extends ReferenceStore {
      readonly #stops: (() => void)[] = [];

      override watch(onChange: () => void) {
        this.#stops.push(super.watch(onChange));
        return () => {
          for (const stop of this.#stops) stop();
        };
      }
    },
  },
  {
    name: "keeps the process alive with a timer",
    caughtBy: "lets a process exit if the store is idle or closed, even while it watches",
    clause: "idle",
    says: "A process with nothing left to do was still running after 5000 ms.",
    Store: class extends ReferenceStore {
      override watch(onChange: () => void) {
        setInterval(() => {}, 60_000);
        return super.watch(onChange);
      }
    },
  },
  {
    name: "lets the process exit during a load",
    caughtBy: "lets a process exit if the store is idle or closed, even while it watches",
    clause: "idle",
    says: "A process that loads and watches failed: A process that used the store ended with 13",
    Store: class extends ReferenceStore {
      override async load() {
        await setTimeout(20, undefined, { ref: false });
        return super.load();
      }
    },
  },
];

export const secretAndWatchMutants: readonly Mutant[] = [...secrets, ...watches];
