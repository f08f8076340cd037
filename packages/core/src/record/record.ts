import { sha256 } from "@noble/hashes/sha2.js";
import * as z from "zod/mini";
import { StoreError } from "../errors.ts";
import { hideSecrets, tokenSetSchema } from "../tokens/token-set.ts";
import type { TokenSet } from "../types.ts";
import { toCount, toDuration, toRotation, toTime } from "../util/clock.ts";

/** The first 96 bits of a refresh token's SHA-256 digest, in base64url. It identifies the token but cannot be used in its place. */
export type Digest = string;

const limited = (limit: (value: number) => number) => z.number().check(z.overwrite(limit));
const time = limited(toTime);
const duration = limited(toDuration);

const DIGEST_BYTES = 12;
/** Earlier releases stored all 32 bytes. */
const digestSchema = z.string().check(z.overwrite((digest): Digest => digest.slice(0, (DIGEST_BYTES / 3) * 4)));
const digestsSchema = z.array(digestSchema);

/** An error response of the token endpoint, without secrets. */
const responseSchema = z.looseObject({
  status: z.optional(z.number()),
  error: z.optional(z.string()),
  description: z.optional(z.string()),
});

// Unknown members survive: another process may run a later release.
const attemptSchema = z.looseObject({
  /** The unique ID of the claim. */
  id: z.string(),
  /** The digest of the refresh token that is presented. */
  digest: digestSchema,
  /** The process that made the claim, if the store identifies holders. */
  holder: z.optional(z.string()),
  /** The time of the claim by its holder's clock, in epoch milliseconds. */
  claimedAt: time,
  /** How long the claim is valid, in milliseconds from when an observer first sees it. */
  lease: duration,
  /** `claimed`: an exchange may be in flight. `failed`: error response, or not sent. `lost`: no complete response. */
  status: z.enum(["claimed", "failed", "lost"]),
  /** `true` if an earlier attempt presented the same refresh token and its response was lost. */
  afterLoss: z.boolean(),
  /** The number of consecutive failures, not counting this attempt while it is running. */
  failures: limited(toCount),
  /** When the attempt ended, in epoch milliseconds, and the back-off in milliseconds that follows. */
  endedAt: z.optional(time),
  retryIn: z.optional(duration),
  /** The last error response to this refresh token. */
  response: z.optional(responseSchema),
  /** Refusals in a row that gave no reason, after the access token had expired, and when the first came. */
  refusals: z.optional(z.looseObject({ count: limited(toCount), since: time })),
  /** `true` if the server has refused the client: some servers consume the refresh token first. */
  mayBeSpent: z.optional(z.boolean()),
});

/** An exchange of the stored refresh token that was claimed or has ended without tokens. */
export type Attempt = z.infer<typeof attemptSchema>;

const deadSchema = z.looseObject({
  /** A `DeadReason`, perhaps one of a later release. */
  reason: z.string(),
  /** The digest of the refresh token that the verdict is about. */
  digest: z.optional(digestSchema),
  /** The error response that led to it. */
  response: z.optional(responseSchema),
});

/** The verdict that ended the session. */
export type Verdict = z.infer<typeof deadSchema>;

const clientSchema = z.looseObject({
  issuer: z.optional(z.string()),
  resource: z.optional(z.string()),
  metadata: z.optional(z.record(z.string(), z.unknown())),
  registration: z.optional(z.record(z.string(), z.unknown())),
  tokenOrigin: z.optional(z.string()),
});

/** The client that the session belongs to. Members that only later releases know survive. */
export interface StoredClient {
  /** The issuer and the resource that the client was registered for. */
  readonly issuer?: string | undefined;
  readonly resource?: string | undefined;
  /** The metadata that the client was registered with ({@link https://www.rfc-editor.org/rfc/rfc7591#section-2 RFC 7591 §2}). */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** The response to the registration ({@link https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1 RFC 7591 §3.2.1}). May contain a client secret. */
  readonly registration?: Readonly<Record<string, unknown>> | undefined;
  /** The origin of the token endpoint that issued the tokens of the session, if a sign-in flow told it. */
  readonly tokenOrigin?: string | undefined;
}

/** Returns the secrets of a client, which must not appear in any output. */
export const secretsOfClient = (client: StoredClient | undefined): string[] =>
  [client?.registration?.client_secret, client?.registration?.registration_access_token].filter(
    (secret): secret is string => typeof secret === "string" && secret !== "",
  );

const signInSchema = z.looseObject({
  /** The unique ID of the claim. */
  id: z.string(),
  /** The process that made the claim, if the store identifies holders. */
  holder: z.optional(z.string()),
  /** The time of the claim by its holder's clock, in epoch milliseconds. */
  claimedAt: time,
  /** How long the claim is valid, in milliseconds from when an observer first sees it. */
  lease: duration,
  /** Why the sign-in failed, if it has: a `reason` of `SignInFailedError`, perhaps one of a later release. */
  failure: z.optional(z.string()),
});

/** The claim of a process that is asking the user to sign in. */
export type SignInClaim = z.infer<typeof signInSchema>;

const recordSchema = z.looseObject({
  schema: z.literal(1),
  session: z.optional(z.string()),
  rotation: z._default(limited(toRotation), 0),
  account: z.optional(z.string()),
  tokens: z.optional(z.looseObject(tokenSetSchema.shape)),
  obtainedAt: time,
  renewed: z.optional(z.boolean()),
  attempt: z.optional(attemptSchema),
  dead: z.optional(deadSchema),
  spent: digestsSchema,
  seeds: z._default(digestsSchema, []),
  primary: z.optional(z.string()),
  client: z.optional(clientSchema),
  signIn: z.optional(signInSchema),
  past: z.optional(digestsSchema),
  requires: z.optional(z.array(z.string()).check(z.maxLength(0))),
});

/** Matches a record that this release must not overwrite: a later `schema`, or any entry in `requires`. */
const newerSchema = z.custom((json) => {
  const { schema, requires } = Object(json) as Readonly<Record<string, unknown>>;
  return (typeof schema === "number" && schema > 1) || (Array.isArray(requires) && requires.length > 0);
});

/** The stored form of a session. Stores only see it as a string made by {@link serializeRecord}. */
export interface SessionRecord {
  readonly schema: 1;
  /** Identifies the session from its sign-in on. Starts with `~` if derived, because an earlier release signed in. */
  readonly session?: string | undefined;
  /** The number of exchanges, verdicts and sign-outs of the session so far. */
  readonly rotation?: number | undefined;
  /** The account of the session; `undefined` if the tokens do not identify it. */
  readonly account?: string | undefined;
  readonly tokens?: TokenSet | undefined;
  /** When the request for the tokens was sent, in epoch milliseconds. */
  readonly obtainedAt: number;
  /** Whether the tokens came from an exchange rather than a sign-in. */
  readonly renewed?: boolean | undefined;
  readonly attempt?: Attempt | undefined;
  readonly dead?: Verdict | undefined;
  /** Digests of refresh tokens that have been used and are never presented again, newest last. */
  readonly spent: readonly Digest[];
  /**
   * Digests of refresh tokens that a sign-in introduced or a sign-out ended: first the one that the current session began
   * with, then the others, newest last.
   */
  readonly seeds?: readonly Digest[] | undefined;
  /**
   * The ID by which documents that show copies of the session name the store of this record. Belongs to the store: it
   * survives every sign-in and sign-out.
   */
  readonly primary?: string | undefined;
  /** Exists with and without a session, and survives the end of one. */
  readonly client?: StoredClient | undefined;
  /** Likewise. */
  readonly signIn?: SignInClaim | undefined;
  /** The first 48 bits of the digests of the versions that this record has replaced in a store of several machines, newest last. */
  readonly past?: readonly Digest[] | undefined;
}

/** Returns whether a record holds neither a session nor the end of one, only a client or a claim. */
export const isEmpty = ({ tokens, dead }: SessionRecord): boolean => tokens === undefined && dead === undefined;

/** The record of a store that has held no session yet. */
export const EMPTY_RECORD: SessionRecord = { schema: 1, obtainedAt: 0, spent: [] };

const KEPT = 32;
/** The used refresh tokens that a record lists at most, and if no document of another program may bring one back. */
const MAX_SPENT = 1_000;
export const MAX_OWN_SPENT = 32;
/** The members that do not belong to a session. */
const LASTING: readonly string[] = ["primary", "client", "signIn", "past"] satisfies (keyof SessionRecord)[];
const MEMBERS = (Object.keys(recordSchema.shape) as (keyof SessionRecord)[]).filter((name) => !LASTING.includes(name));

/**
 * Returns `record` as it is saved in place of `stored`: what does not belong to the session, and members that only later
 * releases know, stay as stored.
 */
export const replaceRecord = (stored: SessionRecord | undefined, record: SessionRecord): SessionRecord =>
  stored ? { ...stored, ...Object.fromEntries(MEMBERS.map((member) => [member, record[member]])) } : record;

export const digestOf = (secret: string): Digest =>
  btoa(String.fromCharCode(...sha256(new TextEncoder().encode(secret)).slice(0, DIGEST_BYTES)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_");

/** Returns the digest of the record's refresh token, if it has one. */
export const currentDigest = (record: Pick<SessionRecord, "tokens"> | undefined): Digest | undefined =>
  record?.tokens?.refreshToken === undefined ? undefined : digestOf(record.tokens.refreshToken);

type Numbered = Pick<SessionRecord, "session" | "rotation">;

/** Compares the rotation numbers of two records of the same session: negative if `a` is older, 0 if that is unknown. */
export const compareRotations = (a: Numbered, b: Numbered): number =>
  a.session === b.session && !isDerived(a) ? rotationOf(a) - rotationOf(b) : 0;

/** Returns whether an earlier release signed in, which stored neither a session ID nor a rotation number. */
export const isDerived = ({ session }: Numbered): boolean => session?.startsWith("~") !== false;

export const rotationOf = (record: Numbered | undefined): number => record?.rotation ?? 0;

/** Returns whether two records certainly belong to different sessions, so neither is newer. */
export const isAnotherSession = (a: SessionRecord, b: SessionRecord): boolean =>
  a.session !== b.session && !isDerived(a) && !isDerived(b);

/** Returns whether the refresh token of a record has been used, so that the record holds an old session. */
export const isSpent = (record: SessionRecord | undefined): boolean =>
  record !== undefined && isSpentIn(record, record);

/** Returns whether `record` lists the refresh token of `other` as spent. */
export const isSpentIn = (record: SessionRecord, other: SessionRecord): boolean =>
  record.spent.includes(currentDigest(other) ?? "");

/**
 * Returns whether `record` is older than `known`, that is, its refresh token has been used since. A record that lists the
 * token of `known` as spent is not older, whatever its number.
 */
export function isOutdated(record: SessionRecord | undefined, known: SessionRecord | undefined): boolean {
  const digest = currentDigest(record);
  if (!record || !known || isAnotherSession(record, known) || isSpentIn(record, known)) return false;
  if (record.dead?.reason === "signed_out") return false;
  const order = compareRotations(record, known);
  if (order !== 0) return order < 0;
  if (digest === undefined || digest === currentDigest(known)) return false;
  return isSpentIn(known, record) && (record.session === known.session || record.obtainedAt <= known.obtainedAt);
}

/** Identifies the claim of an attempt. IDs alone could repeat, if the source of randomness does. */
export const keyOf = ({ id, holder, claimedAt }: Pick<Attempt, "id" | "holder" | "claimedAt">): string =>
  `${id} ${holder} ${claimedAt}`;

/** Returns whether a record belongs to the account. An unknown account matches every account. */
export const isSameAccount = (account: string | undefined, record: SessionRecord): boolean =>
  account === undefined || record.account === undefined || account === record.account;

/** Returns `spent` with `digest` added and `current` removed, limited to the newest entries. A save may limit it further. */
export const addSpent = (
  spent: readonly Digest[],
  digest: Digest | undefined,
  current: Digest | undefined,
): readonly Digest[] =>
  [...spent.filter((known) => known !== digest), ...(digest === undefined ? [] : [digest])]
    .filter((known) => known !== current)
    .slice(-MAX_SPENT);

/**
 * Returns the spent refresh tokens of a record that is about to be replaced. The token of an exchange that is in flight, or
 * that the server may have consumed, is one of them: its response can no longer be stored.
 */
export const spentBy = ({ attempt, spent }: SessionRecord): readonly Digest[] =>
  attempt && (attempt.status !== "failed" || attempt.afterLoss || attempt.mayBeSpent)
    ? addSpent(spent, attempt.digest, undefined)
    : spent;

/**
 * Returns `seeds` with `digest` added, limited to the newest entries and the first. `isNew`: a new session begins with
 * it, so that it becomes the first.
 */
export function addSeed(seeds: readonly Digest[] = [], digest: Digest | undefined, isNew = false): readonly Digest[] {
  if (digest === undefined) return seeds;
  const [first = digest, ...others] = seeds;
  const [head, added] = isNew ? [digest, first] : [first, digest];
  const rest = [...others.filter((seed) => seed !== added), added].filter((seed) => seed !== head);
  return [head, ...rest.slice(1 - KEPT)];
}

/**
 * Returns the record after a verdict, without its tokens except `kept`. A verdict of the server marks the refresh token as
 * spent, unless it is kept; a sign-out does not.
 */
export const endRecord = (record: SessionRecord, dead: Verdict, kept?: TokenSet): SessionRecord => ({
  ...record,
  rotation: rotationOf(record) + 1,
  tokens: kept,
  attempt: undefined,
  dead,
  ...(dead.reason === "signed_out"
    ? { seeds: addSeed(record.seeds, dead.digest), spent: spentBy(record) }
    : { spent: addSpent(record.spent, dead.digest, currentDigest({ tokens: kept })) }),
});

/** Serializes the record for storing, as plain JSON that includes the secrets. */
export function serializeRecord(record: SessionRecord): string {
  return JSON.stringify({ ...record, tokens: record.tokens && { ...record.tokens } });
}

/**
 * Parses a stored string.
 *
 * @throws StoreError with `STORE_UNREADABLE`, `location` and, unless a newer release wrote the string, its `version`
 */
export function parseRecord(value: string, location: string, version?: string): SessionRecord {
  const json = tryJson(value);
  const recovery = { location, version, hint: RECOVERY_HINT };
  if (json === undefined)
    throw new StoreError("STORE_UNREADABLE", { ...recovery, problem: "does not contain valid JSON" });
  const parsed = recordSchema.safeParse(json);
  if (newerSchema.safeParse(json).success) {
    throw new StoreError("STORE_UNREADABLE", {
      location,
      problem: "was written by a newer version",
      hint: UPDATE_HINT,
    });
  }
  if (!parsed.success) {
    const field = parsed.error.issues[0]?.path.join(".");
    const problem = `contains JSON that is not a session${field ? ` (see "${field}")` : ""}`;
    throw new StoreError("STORE_UNREADABLE", { ...recovery, problem });
  }
  const record = withSession(parsed.data);
  return { ...record, tokens: record.tokens && hideSecrets(record.tokens) };
}

/** Completes the record of an earlier release with a session ID. */
const withSession = (record: SessionRecord): SessionRecord => {
  const { session, tokens } = record;
  if (session !== undefined || !tokens) return record;
  return { ...record, session: `~${digestOf(tokens.refreshToken ?? tokens.accessToken)}` };
};

/** Parses a stored string, and returns `undefined` if it does not contain a record. */
export const tryParseRecord = (value: string): SessionRecord | undefined => {
  const parsed = recordSchema.safeParse(tryJson(value));
  return parsed.success ? withSession(parsed.data) : undefined;
};

/** Returns whether a text is a record, or one that only a newer release can read; otherwise `undefined`. */
export const recordKindOf = (text: string): "record" | "newer" | undefined => {
  const json = tryJson(text);
  if (recordSchema.safeParse(json).success) return "record";
  return newerSchema.safeParse(json).success ? "newer" : undefined;
};

/** The name of the reason `response_lost` before the first release. */
const OLD_REASON = "answer_lost";

const updateReason = (key: string, value: unknown): unknown =>
  key === "reason" && value === OLD_REASON ? "response_lost" : value;

const UPDATE_HINT = "It was left unchanged. Update this program.";
const RECOVERY_HINT =
  'It was left unchanged. Restore its contents, or have the user sign in and call signIn(tokens, { over: "unreadable" }).';

const tryJson = (value: string): unknown => {
  try {
    return JSON.parse(value, value.includes(OLD_REASON) ? updateReason : undefined) as unknown; // revivers are slow
  } catch {
    return undefined;
  }
};
