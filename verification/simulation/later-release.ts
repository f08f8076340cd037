import type { TokenStore } from "@unexpired/core";
import type { SimulatedProcess } from "./process.ts";
import type { World } from "./world.ts";

/** The name of a member that only the later release knows. */
export const LATER = "later";

/** The objects of a record to which a release may add members. */
export const OBJECTS = ["tokens", "attempt", "dead", "signIn"] as const;

type Members = Readonly<Record<string, unknown>>;

/** A stored record, as no release has checked it yet. */
export interface RawRecord extends Members, Partial<Record<(typeof OBJECTS)[number], Members>> {
  /** The features that a process has to know before it may change the record. */
  readonly requires?: readonly string[];
}

/** Returns a stored record as the later release reads it. */
export function withoutRequirement(text: string): string {
  const record = parseRaw(text);
  return record.requires ? JSON.stringify({ ...record, requires: undefined }) : text;
}

export const parseRaw = (text: string): RawRecord => JSON.parse(text) as RawRecord;

/**
 * Returns a store as a process uses it that runs the later release, or is updated to it. That release adds members of its
 * own to the record and to the objects in it, and from some time on requires that every process knows them.
 */
export function asLaterRelease(store: TokenStore, process: SimulatedProcess, world: World): TokenStore {
  let saves = 0;
  let last = { value: "", text: "" };
  const addMembers = (value: string): string => {
    if (!world.isLater(process)) return value;
    const record = parseRaw(value);
    const added = { [LATER]: `${process.name} ${++saves}` };
    const completed = OBJECTS.filter((object) => record[object]).map((object) => [
      object,
      { ...added, ...record[object] },
    ]);
    const requires = world.isUpdateRequired ? { requires: ["later"] } : {};
    last = { value, text: JSON.stringify({ ...record, ...Object.fromEntries(completed), ...added, ...requires }) };
    return last.text;
  };
  const removeRequirement = (text: string): string => {
    if (text === last.text) return last.value; // the core recognizes what it has saved
    return world.isLater(process) ? withoutRequirement(text) : text;
  };
  return {
    ...store,
    load: async () => {
      const found = await store.load();
      return found && { ...found, value: removeRequirement(found.value) };
    },
    save: (value, expected) => store.save(addMembers(value), expected),
  };
}
