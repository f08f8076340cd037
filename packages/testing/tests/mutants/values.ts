import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const kept: readonly Mutant[] = [
  {
    name: "gives null where there is nothing",
    caughtBy: "has nothing at first, and says so",
    clause: "load",
    says: "Where nothing was saved, load() gave null.",
    Store: class extends ReferenceStore {
      override async load() {
        return (await super.load()) ?? (null as unknown as undefined);
      }
    },
  },
  {
    name: "keeps JSON, in a form of its own",
    caughtBy: "keeps an ordinary text",
    clause: "load",
    says: "After save(",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.startsWith("{") ? JSON.stringify(JSON.parse(value)) : value;
      }
    },
  },
  {
    name: "takes an empty string for nothing",
    caughtBy: "keeps the empty string",
    clause: "load",
    says: 'After save("") load() gave undefined.',
    Store: class extends ReferenceStore {
      override parse(row: Row | undefined) {
        return row?.value ? super.parse(row) : undefined;
      }
    },
  },
  {
    name: "keeps Latin-1",
    caughtBy: "keeps unicode",
    clause: "load",
    says: "After save(",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return Buffer.from(value, "latin1").toString("latin1");
      }
    },
  },
  {
    name: "normalizes unicode",
    caughtBy: "keeps unicode",
    clause: "load",
    says: 'e\\u{301}") load() gave ',
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.normalize();
      }
    },
  },
  {
    name: "ends at a NUL",
    caughtBy: "keeps every control character",
    clause: "load",
    says: 'load() gave "".',
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.split("\0")[0] ?? "";
      }
    },
  },
  {
    name: "cuts what is longer than 32 kB",
    caughtBy: "keeps 64 kB",
    clause: "load",
    says: "(32770 characters)",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.slice(0, 32 * 1024);
      }
    },
  },
  {
    name: "parses what looks like JSON",
    caughtBy: "keeps what looks like something else",
    clause: "load",
    says: 'After save("null") load() gave null.',
    Store: class extends ReferenceStore {
      override decode(text: string) {
        return text === "null" ? JSON.parse(text) : text;
      }
    },
  },
  {
    name: "trims",
    caughtBy: "keeps spaces and line breaks at its ends",
    clause: "load",
    says: 'load() gave "value".',
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.trim();
      }
    },
  },
];

const removed: readonly Mutant[] = [
  {
    name: "removes nothing",
    caughtBy: "removes what is there, and has nothing afterwards",
    clause: "remove",
    says: "After remove() load() gave {",
    Store: class extends ReferenceStore {
      override async remove() {}
    },
  },
  {
    name: "fails to remove where there is nothing",
    caughtBy: "removes what is there, and has nothing afterwards",
    clause: "remove",
    says: "remove() where nothing was saved failed: There is nothing to remove.",
    Store: class extends ReferenceStore {
      override async remove() {
        if (!this.row()) throw new Error("There is nothing to remove.");
        await super.remove();
      }
    },
  },
];

const told: readonly Mutant[] = [
  {
    name: "does not say what it supports",
    caughtBy: "says what it supports and where it is",
    clause: "supports",
    says: "supports.compareAndSet is undefined.",
    Store: class extends ReferenceStore {
      override readonly supports = undefined as never;
    },
  },
  {
    name: "describes itself as nothing",
    caughtBy: "says what it supports and where it is",
    clause: "describe",
    says: "describe() gave ''.",
    Store: class extends ReferenceStore {
      override describe() {
        return "";
      }
    },
  },
];

export const valueMutants: readonly Mutant[] = [...kept, ...removed, ...told];
