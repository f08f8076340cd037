import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

const kept: readonly Mutant[] = [
  {
    name: "loads null if nothing is stored",
    caughtBy: "loads undefined before the first save",
    clause: "load",
    says: "Before the first save, load() returned null.",
    Store: class extends ReferenceStore {
      override async load() {
        return (await super.load()) ?? (null as unknown as undefined);
      }
    },
  },
  {
    name: "reformats JSON",
    caughtBy: "round-trips ordinary text",
    clause: "load",
    says: "After save(",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.startsWith("{") ? JSON.stringify(JSON.parse(value)) : value;
      }
    },
  },
  {
    name: "treats an empty string as absent",
    caughtBy: "round-trips an empty string",
    clause: "load",
    says: 'After save(""), load() returned undefined.',
    Store: class extends ReferenceStore {
      override parse(row: Row | undefined) {
        return row?.value ? super.parse(row) : undefined;
      }
    },
  },
  {
    name: "stores Latin-1 only",
    caughtBy: "round-trips Unicode",
    clause: "load",
    says: "After save(",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return Buffer.from(value, "latin1").toString("latin1");
      }
    },
  },
  {
    name: "normalizes Unicode",
    caughtBy: "round-trips Unicode",
    clause: "load",
    says: 'e\\u{301}"), load() returned ',
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.normalize();
      }
    },
  },
  {
    name: "cuts the value at a NUL",
    caughtBy: "round-trips every control character",
    clause: "load",
    says: 'load() returned "".',
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.split("\0")[0] ?? "";
      }
    },
  },
  {
    name: "cuts the value at 32 kB",
    caughtBy: "round-trips 64 kB",
    clause: "load",
    says: "(32770 characters)",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return value.slice(0, 32 * 1024);
      }
    },
  },
  {
    name: "parses a value that looks like JSON",
    caughtBy: 'round-trips the text "null"',
    clause: "load",
    says: 'After save("null"), load() returned null.',
    Store: class extends ReferenceStore {
      override decode(text: string) {
        return text === "null" ? JSON.parse(text) : text;
      }
    },
  },
  {
    name: "trims the value",
    caughtBy: "round-trips leading and trailing whitespace",
    clause: "load",
    says: 'load() returned "value".',
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
    caughtBy: "removes the stored value, and succeeds if nothing is stored",
    clause: "remove",
    says: "After remove(), load() returned {",
    Store: class extends ReferenceStore {
      override async remove() {}
    },
  },
  {
    name: "rejects remove() if nothing is stored",
    caughtBy: "removes the stored value, and succeeds if nothing is stored",
    clause: "remove",
    says: "remove() before the first save failed: No value is stored.",
    Store: class extends ReferenceStore {
      override async remove() {
        if (!this.row()) throw new Error("No value is stored.");
        await super.remove();
      }
    },
  },
];

const told: readonly Mutant[] = [
  {
    name: "does not declare what it supports",
    caughtBy: "declares its guarantees and describes its location",
    clause: "supports",
    says: "supports.compareAndSet is undefined.",
    Store: class extends ReferenceStore {
      override readonly supports = undefined as never;
    },
  },
  {
    name: "returns an empty description",
    caughtBy: "declares its guarantees and describes its location",
    clause: "describe",
    says: "describe() returned ''.",
    Store: class extends ReferenceStore {
      override describe() {
        return "";
      }
    },
  },
];

export const valueMutants: readonly Mutant[] = [...kept, ...removed, ...told];
