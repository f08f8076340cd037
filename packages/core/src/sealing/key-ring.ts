import { fromBase64Url } from "../util/base64url.ts";
import { describeType } from "../util/describe-type.ts";

/** A key of a {@link keyRing}. */
export interface SealingKey {
  /** Names the key, in everything that it seals. Not a secret; never used again for another key. */
  readonly id: string;
  /** 32 random bytes (or 16), as they are or in base64, or a `CryptoKey` for AES-GCM. */
  readonly key: Uint8Array<ArrayBuffer> | string | CryptoKey;
}

/** The keys with which `sealed` encrypts and decrypts. Made by {@link keyRing} or `envelopeKeys`. */
export interface KeyRing {
  /** Returns the key that encrypts, and its ID. */
  current(): Promise<{ readonly id: string; readonly key: CryptoKey }>;
  /** Returns the key with this ID; `undefined` if the ring has no such key. */
  find(id: string): Promise<CryptoKey | undefined>;
}

/**
 * Creates a ring of keys. The first key encrypts, all of them decrypt: to replace a key, put the new one first in every process,
 * and remove the old one once nothing is sealed with it any more. A server that adds a key in one process before the
 * others know it puts it last at first. One ring can serve any number of stores.
 *
 * @throws TypeError if there is no key, an ID is not a unique, non-empty string, or a key is not 16 or 32 bytes
 */
export function keyRing(keys: readonly SealingKey[]): KeyRing {
  const [first] = Array.isArray(keys) ? keys : [];
  if (!first) throw new TypeError("keys: expected at least one { id, key }.");
  const imported = new Map<string, Promise<CryptoKey>>();
  for (const [index, each] of keys.entries()) {
    const { id, key } = Object(each) as SealingKey;
    if (typeof id !== "string" || id === "" || imported.has(id))
      throw new TypeError(`keys[${index}].id: expected a non-empty string that no other key has.`);
    imported.set(id, toKey(key, `keys[${index}].key`));
  }
  const find = async (id: string) => imported.get(id);
  return { find, current: async () => ({ id: first.id, key: (await find(first.id)) as CryptoKey }) };
}

function toKey(key: SealingKey["key"], name: string): Promise<CryptoKey> {
  if (isCryptoKey(key)) return Promise.resolve(key);
  const bytes = typeof key === "string" ? fromBase64Url(key) : key;
  if (isBytes(bytes) && (bytes.length === 16 || bytes.length === 32)) return importKey(bytes);
  throw new TypeError(`${name}: expected 32 bytes (or 16), as a Uint8Array or in base64, or a CryptoKey for AES-GCM.`);
}

const isBytes = (value: unknown): value is Uint8Array<ArrayBuffer> =>
  Object.prototype.toString.call(value) === "[object Uint8Array]";

const isCryptoKey = (key: unknown): key is CryptoKey => {
  const { algorithm, usages } = Object(key) as Partial<CryptoKey>;
  return algorithm?.name === "AES-GCM" && ["encrypt", "decrypt"].every((usage) => usages?.includes(usage as KeyUsage));
};

/** Imports a key that cannot be exported again. */
export const importKey = (bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);

/** @throws TypeError */
export function toKeyRing(keys: readonly SealingKey[] | KeyRing): KeyRing {
  if (Array.isArray(keys)) return keyRing(keys);
  const ring = Object(keys) as Partial<KeyRing>;
  if (typeof ring.current === "function" && typeof ring.find === "function") return ring as KeyRing;
  throw new TypeError(`keys: expected an array of { id, key }, or a KeyRing, not ${describeType(keys)}.`);
}
