import { toStoreError } from "./errors.ts";

/**
 * Finds the keys that match a pattern, one or several at a time: `client.scanIterator({ MATCH: pattern })` of node-redis,
 * `redis.scanStream({ match: pattern })` of ioredis.
 */
export type Scan = (pattern: string) => AsyncIterable<string | readonly string[]>;

/** Yields the rest of each key with the prefix, once: SCAN may return a key several times. */
export async function* listKeys(scan: Scan, prefix: string): AsyncGenerator<string, void, undefined> {
  const known = new Set<string>();
  try {
    for await (const found of scan(`${escapePattern(prefix)}*`)) {
      const isNew = (key: string) => key.startsWith(prefix) && known.size < known.add(key).size;
      const keys = typeof found === "string" ? [found] : found;
      yield* keys.filter(isNew).map((key) => key.slice(prefix.length));
    }
  } catch (error) {
    throw toStoreError(error, `The Redis keys "${prefix}*"`);
  }
}

const escapePattern = (text: string): string => text.replace(/[*?[\]\\^-]/g, "\\$&");
