import { digestOf } from "@unexpired/store-node/chain";
import { KeychainError } from "../errors.ts";

/** What a generation of the chain says about the items that hold its session. No secret in it. */
export interface Manifest {
  /** The backend that wrote them. */
  readonly backend: string;
  /** The slot that they fill: see slots.ts. */
  readonly slot: string;
  /** How many they are. */
  readonly parts: number;
  /** SHA-256 of the session. */
  readonly digest: string;
}

/**
 * A session as secrets. ASCII only: bytes, characters and UTF-16 units are then the same number, no backend ends a
 * secret at a zero, and none of them is empty.
 */
export function splitSession(value: string, limit = Number.POSITIVE_INFINITY): readonly string[] {
  const text = JSON.stringify(value).replace(/[^ -~]/g, escapeUnit);
  const size = Math.min(limit, text.length);
  return Array.from({ length: Math.ceil(text.length / size) }, (_, part) => text.slice(part * size, (part + 1) * size));
}

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** The session of secrets; `undefined` where they are not all there, or not those of the manifest. */
export function joinSession(parts: readonly (string | undefined)[], { digest }: Manifest): string | undefined {
  if (parts.includes(undefined)) return undefined;
  const value = tryJson(parts.join(""));
  return typeof value === "string" && digestOf(value) === digest ? value : undefined;
}

/** The account of one item of a slot; parts count from 1. */
export const itemAccount = (account: string, slot: string, part: number): string =>
  `${account} [unexpired ${slot} ${part}]`;

/** The accounts of a manifest's items. */
export const itemAccounts = (account: string, { slot, parts }: Manifest): readonly string[] =>
  Array.from({ length: parts }, (_, index) => itemAccount(account, slot, index + 1));

/** The manifest in a text; `undefined` where there is none. */
export function tryManifest(text: string): Manifest | undefined {
  const { backend, slot, parts, digest } = Object(tryJson(text)) as Partial<Record<keyof Manifest, unknown>>;
  const isManifest = [backend, slot, digest].every((each) => typeof each === "string") && Number.isInteger(parts);
  return isManifest ? ({ backend, slot, parts, digest } as Manifest) : undefined;
}

/**
 * The manifest of a generation.
 *
 * @throws KeychainError where there is none
 */
export function parseManifest(text: string, path: string): Manifest {
  const manifest = tryManifest(text);
  if (manifest) return manifest;
  throw new KeychainError("damaged", {
    location: path,
    problem: "does not say which keychain items hold the session",
    hint: "It was left as it is. Call remove() and sign in again.",
  });
}

/** `undefined` where it is none. */
export const tryJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
