import { UnexpiredError } from "../errors.ts";
import {
  addSpent,
  currentDigest,
  isAnotherSession,
  isOutdated,
  isSameAccount,
  rotationOf,
  type SessionRecord,
} from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import type { SessionEvent, TokenSet } from "../types.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const SAVE_RETRY_INTERVAL = 1_000;

/** The result of a successful exchange: the record to store, and that whose refresh token was presented for it. */
export interface Rotation {
  readonly record: SessionRecord;
  readonly base: SessionRecord;
}

type CommitDeps = Pick<RefreshDeps, "records" | "refresh" | "clock">;
type CommitHost = Pick<RefreshHost, "observe" | "announce">;

/** Step 5 of the protocol: stores a received rotation, and keeps it in memory until that succeeds. */
export class Committer {
  readonly #deps: CommitDeps;
  readonly #host: CommitHost;
  /** The rotation that this process already uses but the store has not accepted yet. */
  #unsaved: Rotation | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(deps: CommitDeps, host: CommitHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /**
   * Loads the stored session. First tries again to save an unsaved rotation, which takes precedence even if that fails.
   */
  async load(): Promise<Stored | undefined> {
    const { records } = this.#deps;
    if (!this.#unsaved) return records.load();
    const stored = await this.#loadKnown();
    if (!this.#unsaved) return records.load();
    await this.commit(this.#unsaved, stored);
    return stored && this.#unsaved ? { ...stored, record: this.#unsaved.record } : records.load();
  }

  /** Loads the stored record, or the one that this process knows if other data hides it. */
  async #loadKnown(): Promise<Stored | undefined> {
    const found = await this.#deps.records.loadReplaceable();
    if (found && !found.record) throw found.error;
    return found;
  }

  /**
   * Saves the rotation, and retries after conflicts. Resolves to `false` if the rotation was dropped because the stored
   * session has changed. Never rejects: a rotation that cannot be saved is kept in memory and counts as committed.
   */
  async commit(rotation: Rotation, claimed: Stored | undefined): Promise<boolean> {
    const { records } = this.#deps;
    const { record, base } = rotation;
    let spent = record.spent;
    try {
      for (let stored = claimed; ; stored = await this.#loadKnown()) {
        if (isAlreadyStored(rotation, stored?.record)) return this.#onSaved(stored?.record);
        const reason = dropReason(rotation, stored?.record);
        if (reason) return await this.#drop(reason, record, stored?.record);
        const known = new Set([...record.spent, ...(stored?.record.spent ?? [])]);
        spent = addSpent([...known], currentDigest(base), currentDigest(record));
        const number = Math.max(rotationOf(record), rotationOf(stored?.record) + 1);
        const saved = await records.save({ ...record, rotation: number, spent }, stored);
        if (saved) return this.#onSaved(saved.record);
      }
    } catch (error) {
      return this.#keepUnsaved({ record: { ...record, spent }, base }, error);
    }
  }

  /** Makes a last attempt to save an unsaved rotation, and stops retrying. */
  async close(): Promise<void> {
    if (this.#unsaved) await this.load().catch(() => {}); // reported as an event
    this.discardPending();
  }

  /** Discards an unsaved rotation, because its session has ended. */
  discardPending(): void {
    this.#unsaved = undefined;
    this.#cancelRetry?.();
  }

  #onSaved(record: SessionRecord | undefined): true {
    if (this.#unsaved) this.#host.announce({ type: "save-recovered", location: this.#deps.records.location });
    this.#unsaved = undefined;
    this.#host.observe(record, "exchange");
    return true;
  }

  #keepUnsaved(rotation: Rotation, error: unknown): true {
    const code = UnexpiredError.is(error) ? error.code : "STORE_UNAVAILABLE";
    if (!this.#unsaved) this.#host.announce({ type: "save-failed", location: this.#deps.records.location, code });
    this.#unsaved = rotation;
    this.#host.observe(rotation.record, "exchange");
    this.#retryLater();
    return true;
  }

  #retryLater(): void {
    this.#cancelRetry?.();
    const retry = () => void this.load().catch(() => this.#retryLater());
    this.#cancelRetry = this.#deps.clock.setTimer(retry, SAVE_RETRY_INTERVAL, false);
  }

  async #drop(reason: DropReason, ours: SessionRecord, stored: SessionRecord | undefined): Promise<false> {
    this.#unsaved = undefined;
    this.#host.announce({ type: "rotation-dropped", reason });
    this.#host.observe(stored, "store");
    if (reason !== "superseded" && ours.tokens) void this.#revoke(ours.tokens);
    return false;
  }

  async #revoke(tokens: TokenSet): Promise<void> {
    try {
      await this.#deps.refresh?.revoke?.(tokens);
    } catch {
      // best effort: nothing waits for it, because it may never settle
    }
  }
}

type DropReason = (SessionEvent & { type: "rotation-dropped" })["reason"];

/** Returns whether an earlier save with an unknown outcome has stored the rotation. */
const isAlreadyStored = ({ record, base }: Rotation, stored: SessionRecord | undefined): boolean =>
  currentDigest(record) !== currentDigest(base) && currentDigest(stored) === currentDigest(record);

/** Returns the reason why a rotation must not replace the stored record, if there is one. */
function dropReason(rotation: Rotation, stored: SessionRecord | undefined): DropReason | undefined {
  const { record, base } = rotation;
  if (!stored || stored.dead?.reason === "signed_out") return "signed_out";
  if (!isSameAccount(record.account, stored)) return "account_changed";
  const presented = currentDigest(base);
  const isOurs = currentDigest(stored) === presented || stored.dead?.digest === presented;
  return (isOurs || isOldCopy(rotation, stored)) && !isReplaced(rotation, stored) ? undefined : "superseded";
}

/** Returns whether another exchange or sign-in has replaced the access token of a reusable refresh token. */
const isReplaced = ({ record, base }: Rotation, stored: SessionRecord): boolean =>
  currentDigest(record) === currentDigest(base) &&
  stored.tokens?.accessToken !== base.tokens?.accessToken &&
  stored.obtainedAt > record.obtainedAt;

/** Returns whether an old copy has overwritten our session, and not one that had already replaced ours. */
const isOldCopy = ({ record, base }: Rotation, stored: SessionRecord): boolean => {
  const [presented, current] = [currentDigest(base) ?? "", currentDigest(stored) ?? ""];
  if (isAnotherSession(stored, base)) return false;
  return (
    (isOutdated(stored, { ...base, spent: record.spent }) || stored.spent.includes(current)) &&
    !stored.spent.includes(presented)
  );
};
