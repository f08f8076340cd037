import { randomUUID } from "node:crypto";
import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const REPORTED = "reports unreadable data to every holder with the same version, and leaves it alone";
const REPLACED = "replaces unreadable data by a save over the version that its error states";
const OUTDATED = "replaces no unreadable data that has changed or was repaired since it was reported";
const KEPT = "keeps unreadable data if a save expects nothing, or the version of a value";

const reported: readonly Mutant[] = [
  {
    name: "states no version of unreadable data",
    caughtBy: REPORTED,
    clause: "overwrite",
    says: "The error of load() about unreadable data has the overwriteVersion undefined.",
    Store: class extends ReferenceStore {
      override overwriteVersion() {
        return undefined;
      }
    },
  },
  {
    name: "deletes unreadable data that it has reported",
    caughtBy: REPORTED,
    clause: "unreadable",
    says: "load() of unreadable data did not reject. It resolved to undefined.",
    Store: class extends ReferenceStore {
      override complain(row: Row) {
        this.run("DELETE FROM session WHERE name = ?", this.name);
        return super.complain(row);
      }
    },
  },
  {
    name: "gives unreadable data another version at each load",
    caughtBy: REPORTED,
    clause: "overwrite",
    says: "load() of the same unreadable data reported the versions over ",
    Store: class extends ReferenceStore {
      override overwriteVersion() {
        return `over ${randomUUID()}`;
      }
    },
  },
  {
    name: "marks unreadable data when it reports it",
    caughtBy: REPORTED,
    clause: "overwrite",
    says: "load() after unreadable data was repaired returned {",
    Store: class extends ReferenceStore {
      override complain(row: Row) {
        this.run("UPDATE session SET version = 'unreadable' WHERE name = ?", this.name);
        return super.complain({ ...row, version: "unreadable" });
      }
    },
  },
];

const replaced: readonly Mutant[] = [
  {
    name: "never replaces unreadable data",
    caughtBy: REPLACED,
    clause: "overwrite",
    says: "save() over the version of unreadable data failed: ",
    Store: class extends ReferenceStore {
      override compare(expected: string | undefined, row: Row | undefined) {
        return this.accepts(expected, this.parse(row));
      }
    },
  },
  {
    name: "accepts a save over unreadable data and drops the value",
    caughtBy: REPLACED,
    clause: "overwrite",
    says: "load() after a save over unreadable data failed: ",
    Store: class extends ReferenceStore {
      override replace(value: string, expected: string | undefined) {
        return expected?.startsWith("over ") ? this.nextVersion(value) : super.replace(value, expected);
      }
    },
  },
  {
    name: "keeps the version of what it replaces",
    caughtBy: REPLACED,
    clause: "version",
    says: "a second time.",
    Store: class extends ReferenceStore {
      override nextVersion(value: string) {
        const row = this.row();
        return row && typeof row.value !== "string" ? row.version : super.nextVersion(value);
      }
    },
  },
];

const outdated: readonly Mutant[] = [
  {
    name: "gives one version to everything that is unreadable",
    caughtBy: OUTDATED,
    clause: "overwrite",
    says: "save() over the version of unreadable data that has changed was accepted.",
    Store: class extends ReferenceStore {
      override overwriteVersion({ version }: Row) {
        return `over ${version}`;
      }
    },
  },
  {
    name: "replaces unreadable data that was repaired",
    caughtBy: OUTDATED,
    clause: "overwrite",
    says: "save() over the version of unreadable data that was repaired was accepted.",
    Store: class extends ReferenceStore {
      override compare(expected: string | undefined, row: Row | undefined) {
        const isRepaired = typeof row?.value === "string" && expected?.startsWith(`over ${row.version} `);
        return isRepaired === true || super.compare(expected, row);
      }
    },
  },
  {
    name: "complains about what has changed, instead of reporting a conflict",
    caughtBy: OUTDATED,
    clause: "overwrite",
    says: "save() over the version of unreadable data that has changed rejected with something other than a StoreConflict",
    Store: class extends ReferenceStore {
      override compare(expected: string | undefined, row: Row | undefined) {
        return super.compare(expected, row) || this.accepts(expected, this.parse(row));
      }
    },
  },
];

const kept: readonly Mutant[] = [
  {
    name: "replaces unreadable data by a save over any version but the last",
    caughtBy: KEPT,
    clause: "overwrite",
    says: 'save("refused", \'',
    Store: class extends ReferenceStore {
      override compare(expected: string | undefined, row: Row | undefined) {
        const isOld = expected !== undefined && !expected.startsWith("over ") && expected !== row?.version;
        return (isOld && typeof row?.value === "object") || super.compare(expected, row);
      }
    },
  },
  {
    name: "deletes unreadable data that is in the way of a save",
    caughtBy: KEPT,
    clause: "unreadable",
    says: "load() of unreadable data did not reject. It resolved to undefined.",
    Store: class extends ReferenceStore {
      override compare(expected: string | undefined, row: Row | undefined) {
        if (row && typeof row.value !== "string" && !expected?.startsWith("over "))
          this.run("DELETE FROM session WHERE name = ?", this.name);
        return super.compare(expected, row);
      }
    },
  },
];

export const overwritingMutants: readonly Mutant[] = [...reported, ...replaced, ...outdated, ...kept];
