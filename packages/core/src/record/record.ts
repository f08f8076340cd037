import { sha256 } from "@noble/hashes/sha2.js";
import * as z from "zod/mini";
import { StoreError } from "../errors.ts";
import { tokenSetSchema, unprintable } from "../tokens/token-set.ts";
import type { TokenSet } from "../types.ts";

/** SHA-256 of a refresh token, base64url: enough to recognise it, useless to present. */
export type Digest = string;

const attemptSchema = z.object({
  /** Names the claim; unique. */
  id: z.string(),
  /** Of the refresh token that is presented. */
  digest: z.string(),
  /** Who claimed it, where the store knows holders. */
  holder: z.optional(z.string()),
  /** By its owner's clock, in epoch milliseconds. */
  claimedAt: z.number(),
  /** How long the claim holds, in milliseconds from when one first sees it. */
  lease: z.number(),
  /** `claimed`: an exchange may be in flight. `failed`: answered, or never sent. `lost`: sent, no complete answer. */
  status: z.enum(["claimed", "failed", "lost"]),
  /** Whether the digest had been presented before, by an attempt that was lost. */
  afterLoss: z.boolean(),
  /** Exchanges that failed in a row, this one not counted while it runs. */
  failures: z.number(),
  /** When it ended, in epoch milliseconds, and how long nobody tries again after that. */
  endedAt: z.optional(z.number()),
  retryIn: z.optional(z.number()),
});

/** An exchange of the stored refresh token: claimed, or ended without tokens. */
export type Attempt = z.infer<typeof attemptSchema>;

const deadSchema = z.object({
  reason: z.enum([
    "no_session",
    "session_expired",
    "refresh_token_reused",
    "answer_lost",
    "revoked",
    "signed_out",
    "account_changed",
  ]),
  /** Of the refresh token that the verdict is about. */
  digest: z.optional(z.string()),
});

/** The verdict that ended the session. */
export type Verdict = z.infer<typeof deadSchema>;

const recordSchema = z.object({
  schema: z.literal(1),
  account: z.optional(z.string()),
  tokens: z.optional(tokenSetSchema),
  obtainedAt: z.number(),
  renewed: z.optional(z.boolean()),
  attempt: z.optional(attemptSchema),
  dead: z.optional(deadSchema),
  spent: z.array(z.string()),
});

/** What is stored. A store sees only the string that {@link serialiseRecord} makes of it. */
export interface SessionRecord {
  readonly schema: 1;
  /** Whose session it is; absent where the tokens do not say. */
  readonly account?: string | undefined;
  readonly tokens?: TokenSet | undefined;
  /** When the request for the tokens was sent, in epoch milliseconds. */
  readonly obtainedAt: number;
  /** Whether the tokens came from an exchange, and not from a sign-in. */
  readonly renewed?: boolean | undefined;
  readonly attempt?: Attempt | undefined;
  readonly dead?: Verdict | undefined;
  /** Refresh tokens that were used up and are never presented again, newest last. */
  readonly spent: readonly Digest[];
}

const SPENT_KEPT = 32;

export const digestOf = (refreshToken: string): Digest =>
  btoa(String.fromCharCode(...sha256(new TextEncoder().encode(refreshToken))))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

/** The digest of the record's refresh token, where it has one. */
export const currentDigest = (record: Pick<SessionRecord, "tokens"> | undefined): Digest | undefined =>
  record?.tokens?.refreshToken === undefined ? undefined : digestOf(record.tokens.refreshToken);

/** Whether `record` is older than what is known: its refresh token was used up since. */
export function isOutdated(record: SessionRecord | undefined, known: SessionRecord | undefined): boolean {
  const digest = currentDigest(record);
  if (!record || !known || digest === undefined || digest === currentDigest(known)) return false;
  return known.spent.includes(digest) && record.obtainedAt <= known.obtainedAt;
}

/** Whether a record belongs to the account. Unknown accounts are not told apart. */
export const isSameAccount = (account: string | undefined, record: SessionRecord): boolean =>
  account === undefined || record.account === undefined || account === record.account;

/** `spent` with one more, without `current`, cut to the newest. */
export const spend = (
  spent: readonly Digest[],
  digest: Digest | undefined,
  current: Digest | undefined,
): readonly Digest[] =>
  [...spent.filter((known) => known !== digest), ...(digest === undefined ? [] : [digest])]
    .filter((known) => known !== current)
    .slice(-SPENT_KEPT);

/** The record without its tokens, whose refresh token is spent. */
export const endRecord = (record: SessionRecord, dead: Verdict): SessionRecord => ({
  ...record,
  tokens: undefined,
  attempt: undefined,
  dead,
  spent: spend(record.spent, dead.digest, undefined),
});

/** The string to store. Plain JSON; secrets included. */
export function serialiseRecord(record: SessionRecord): string {
  return JSON.stringify({ ...record, tokens: record.tokens && { ...record.tokens } });
}

/**
 * The record in a stored string.
 *
 * @throws StoreError `STORE_UNREADABLE`, naming `place`
 */
export function parseRecord(value: string, place: string): SessionRecord {
  const json = tryJson(value);
  if (json === undefined) {
    throw new StoreError("STORE_UNREADABLE", { place, problem: "does not hold JSON", advice: RECOVER });
  }
  const parsed = recordSchema.safeParse(json);
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".");
    const problem = `holds JSON that is not a session${field ? ` (see "${field}")` : ""}`;
    throw new StoreError("STORE_UNREADABLE", { place, problem, advice: RECOVER });
  }
  return { ...parsed.data, tokens: parsed.data.tokens && unprintable(parsed.data.tokens) };
}

/** The record in a stored string, or `undefined` if it holds none. */
export const tryParseRecord = (value: string): SessionRecord | undefined => {
  const parsed = recordSchema.safeParse(tryJson(value));
  return parsed.success ? parsed.data : undefined;
};

const RECOVER = "It was left as it is. Put the right contents back, or move it away and sign in again.";

const tryJson = (value: string): unknown => {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
};
