import * as z from "zod/mini";
import type { Clock } from "../types.ts";
import { fromBase64Url, toBase64Url } from "../util/base64url.ts";
import { checkOptions, durationSchema, functionSchema, type OptionTable } from "../util/check-options.ts";
import { completeClock } from "../util/clock.ts";
import { clockOption } from "../util/clock-option.ts";
import { importKey, type KeyRing } from "./key-ring.ts";

/** Options of {@link envelopeKeys}. */
export interface EnvelopeKeysOptions {
  /** Encrypts a data key of 32 bytes with a key of the key management service. */
  readonly wrap: (dataKey: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
  /** Decrypts what `wrap` has returned. */
  readonly unwrap: (wrapped: Uint8Array<ArrayBuffer>) => Promise<Uint8Array>;
  /** How long this process encrypts with one data key, in milliseconds. Default 86,400,000 (a day). */
  readonly maxAge?: number | undefined;
  /** The time, for tests. Omitted members use the system clock. */
  readonly clock?: Partial<Clock> | undefined;
}

const DAY = 24 * 60 * 60_000;
/** How many unwrapped data keys are remembered. There is one for each process and `maxAge`. */
const KEPT = 1_000;

type Current = Awaited<ReturnType<KeyRing["current"]>>;

/**
 * Creates keys for `sealed` that a key management service protects (envelope encryption): each process encrypts with a random
 * data key of its own, and its ID is that data key, encrypted by the service. The service is asked once for each data key:
 * to wrap it, or when a process first reads what it has sealed. Which of its own keys the service uses, and how it replaces
 * them, is the service's matter.
 *
 * @throws TypeError if an option is invalid
 */
export function envelopeKeys(options: EnvelopeKeysOptions): KeyRing {
  const { wrap, unwrap, maxAge = DAY, clock } = checkOptions("envelopeKeys", optionTable, options);
  const { monotonic } = completeClock(clock ?? {});
  const known = new Map<string, Promise<CryptoKey>>();
  const remember = (id: string, key: Promise<CryptoKey>) => {
    known.set(id, key);
    key.catch(() => known.delete(id)); // the next load asks again
    for (const oldest of known.keys()) if (known.size > KEPT) known.delete(oldest);
    return key;
  };
  let current: Promise<Current> | undefined;
  let until = Number.NEGATIVE_INFINITY;
  const create = async (): Promise<Current> => {
    const bytes = crypto.getRandomValues(new Uint8Array(32));
    const id = toBase64Url(await wrap(bytes));
    return { id, key: await remember(id, importKey(bytes)) };
  };
  return {
    current() {
      if (current && monotonic() < until) return current;
      until = monotonic() + maxAge;
      const created = create();
      current = created;
      created.catch(() => {
        if (current === created) current = undefined; // the next save tries again
      });
      return created;
    },
    async find(id) {
      const wrapped = fromBase64Url(id);
      return wrapped && (known.get(id) ?? remember(id, unwrap(wrapped).then(toDataKey)));
    },
  };
}

const toDataKey = (bytes: Uint8Array): Promise<CryptoKey> => importKey(Uint8Array.from(bytes));

const optionTable = {
  wrap: [functionSchema, "a function", "required"],
  unwrap: [functionSchema, "a function", "required"],
  maxAge: [durationSchema.check(z.refine((value) => value > 0)), "milliseconds above 0"],
  clock: clockOption,
} as const satisfies OptionTable & Record<keyof EnvelopeKeysOptions, unknown>;
