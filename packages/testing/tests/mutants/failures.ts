import { StoreConflictError, type StoredValue, StoreError } from "@unexpired/core";
import { ReferenceStore } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const UNAVAILABLE = "rejects with a StoreError while its storage is unavailable, and works again afterwards";
const largeCase = (size: string) =>
  `stores a value of ${size} completely, or refuses it with a StoreError and keeps the previous one`;

const ignore = (): undefined => undefined;

/** Limits the size of a value. `refuse` is called for a longer one. */
const limited = (length: number, refuse: (store: ReferenceStore, value: string) => string) =>
  class extends ReferenceStore {
    override encode(value: string) {
      return value.length > length ? refuse(this, value) : value;
    }
  };

const unavailable: readonly Mutant[] = [
  {
    name: "reports every failure as a conflict",
    caughtBy: UNAVAILABLE,
    clause: "failure",
    says: "save() to unavailable storage rejected with something other than a StoreError: StoreConflictError",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        return super.save(value, expected).catch(() => {
          throw new StoreConflictError(this.describe());
        });
      }
    },
  },
  {
    name: "treats unavailable storage as empty",
    caughtBy: UNAVAILABLE,
    clause: "failure",
    says: "load() from unavailable storage returned undefined.",
    Store: class extends ReferenceStore {
      override load() {
        return super.load().catch(ignore);
      }
    },
  },
  {
    name: "passes on the errors of its database",
    caughtBy: UNAVAILABLE,
    clause: "failure",
    says: "load() from unavailable storage rejected with something other than a StoreError: Error: no such table",
    Store: class extends ReferenceStore {
      override fail(cause: Error): never {
        throw cause;
      }
    },
  },
  {
    name: "accepts a save to unavailable storage",
    caughtBy: UNAVAILABLE,
    clause: "failure",
    says: "save() to unavailable storage was accepted.",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        return super.save(value, expected).catch((error) => {
          if (error instanceof StoreConflictError) throw error;
          return this.nextVersion(value);
        });
      }
    },
  },
  {
    name: "stays unavailable after one failure",
    caughtBy: UNAVAILABLE,
    clause: "failure",
    says: "load() after the storage was unavailable failed: ",
    Store: class extends ReferenceStore {
      #failure: Error | undefined;

      override fail(cause: Error) {
        this.#failure ??= cause;
        return super.fail(cause);
      }

      override attempt<T>(statement: () => T) {
        return this.#failure ? super.fail(this.#failure) : super.attempt(statement);
      }
    },
  },
  {
    name: "ignores a removal that failed",
    caughtBy: "does not claim to have removed what it cannot reach",
    clause: "failure",
    says: "remove() from unavailable storage succeeded, but load() then returned {",
    Store: class extends ReferenceStore {
      override remove() {
        return super.remove().catch(ignore);
      }
    },
  },
  {
    name: "reports unreadable data as a conflict",
    caughtBy: "rejects unreadable data instead of loading undefined",
    clause: "failure",
    says: "save() over unreadable data, with its last version, rejected with something other than a StoreError: StoreConf",
    Store: class extends ReferenceStore {
      override async save(value: string, expected: string | undefined) {
        return super.save(value, expected).catch(() => {
          throw new StoreConflictError(this.describe());
        });
      }
    },
  },
];

const large: readonly Mutant[] = [
  {
    name: "cuts the value at 256 kB",
    caughtBy: largeCase("300 kB"),
    clause: "load",
    says: " was accepted, but load() then returned {",
    Store: limited(100_000, (_, value) => value.slice(0, 100_000)),
  },
  {
    name: "refuses a large value with a conflict",
    caughtBy: largeCase("300 kB"),
    clause: "failure",
    says: " rejected with something other than a StoreError: StoreConflictError",
    Store: limited(100_000, (store, value) => store.refuse(value)),
  },
  {
    name: "cuts the value at 1 MB",
    caughtBy: largeCase("1.2 MB"),
    clause: "load",
    says: " was accepted, but load() then returned {",
    Store: limited(500_000, (_, value) => value.slice(0, 500_000)),
  },
  {
    name: "removes the previous value before it refuses a large one",
    caughtBy: largeCase("1.2 MB"),
    clause: "load",
    says: " was refused, but load() then returned undefined.",
    Store: limited(500_000, (store) => {
      store.run("DELETE FROM session");
      throw new StoreError("STORE_UNAVAILABLE", {
        location: store.describe(),
        problem: "is too small",
        hint: "Use another.",
      });
    }),
  },
];

/** Never settles. */
const hang = <T>(): Promise<T> => new Promise<T>(() => {});
const TIMEOUT = 500; // ms

const hanging: readonly Mutant[] = [
  {
    name: "never finishes a load",
    caughtBy: "loads undefined before the first save",
    clause: "load",
    says: `load() did not settle within ${TIMEOUT} ms.`,
    timeout: TIMEOUT,
    Store: class extends ReferenceStore {
      override load() {
        return hang<StoredValue | undefined>();
      }
    },
  },
  {
    name: "never finishes a save that conflicts",
    caughtBy: "rejects a save with a stale version",
    clause: "save",
    says: `save() did not settle within ${TIMEOUT} ms.`,
    timeout: TIMEOUT,
    Store: class extends ReferenceStore {
      override save(value: string, expected: string | undefined) {
        return super.save(value, expected).catch(() => hang<string>());
      }
    },
  },
];

export const failureMutants: readonly Mutant[] = [...unavailable, ...large, ...hanging];
