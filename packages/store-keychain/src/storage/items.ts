import { digestOf } from "@unexpired/store-node/chain";

/** The description of the items that hold a session, stored in a generation of the chain. Contains no secret. */
export interface Manifest {
  /** The backend that wrote the items. */
  readonly backend: string;
  /** The slot that the items belong to; see slots.ts. */
  readonly slot: string;
  /** The number of items. */
  readonly parts: number;
  /** The SHA-256 digest of the session. */
  readonly digest: string;
}

/**
 * Splits a session into secrets of at most `limit` characters. They are ASCII only, so that their lengths in bytes,
 * characters and UTF-16 units are equal and no backend truncates them at a null character. No secret is empty.
 */
export function splitSession(value: string, limit = Number.POSITIVE_INFINITY): readonly string[] {
  const text = JSON.stringify(value).replace(/[^ -~]/g, escapeUnit);
  const size = Math.min(limit, text.length);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, part) => text.slice(part * size, (part + 1) * size));
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Joins secrets into a session. Returns `undefined` if one is missing or they do not match the manifest. */
export function joinSession(parts: readonly (string | undefined)[], { digest }: Manifest): string | undefined {
  if (parts.includes(undefined)) return undefined;
  const value = tryJson(parts.join(""));
  return typeof value === "string" && digestOf(value) === digest ? value : undefined;
}

/** Returns the account of one item of a slot. Parts are counted from 1. */
export const itemAccount = (account: string, slot: string, part: number): string =>
  `${account} [unexpired ${slot} ${part}]`;

/** Returns the accounts of a manifest's items. */
export const itemAccounts = (account: string, { slot, parts }: Manifest): readonly string[] =>
  Array.from({ length: parts }, (_, index) => itemAccount(account, slot, index + 1));

/** Parses a manifest. Returns `undefined` if the text is not one. */
export function tryManifest(text: string): Manifest | undefined {
  const { backend, slot, parts, digest } = Object(tryJson(text)) as Partial<Record<keyof Manifest, unknown>>;
  const isManifest = [backend, slot, digest].every((each) => typeof each === "string") && Number.isInteger(parts);
  return isManifest ? ({ backend, slot, parts, digest } as Manifest) : undefined;
}

/** Parses JSON. Returns `undefined` if the text is not JSON. */
export const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
