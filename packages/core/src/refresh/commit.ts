import { UnexpiredError } from "../errors.ts";
import { currentDigest, type Digest, isOutdated, isSameAccount, type SessionRecord, spend } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import type { SessionEvent, TokenSet } from "../types.ts";
import type { RefreshDeps, RefreshHost } from "./renewal.ts";

const SAVE_AGAIN = 1_000;

/** What an exchange brought: the session as it should be stored, and the refresh token that was presented for it. */
export interface Rotation {
  readonly record: SessionRecord;
  readonly presented: Digest;
}

type CommitDeps = Pick<RefreshDeps, "records" | "refresh" | "clock">;
type CommitHost = Pick<RefreshHost, "observe" | "announce">;

/** Step 5 of the protocol: a received rotation is stored, or kept until it is. */
export class Committer {
  readonly #deps: CommitDeps;
  readonly #host: CommitHost;
  /** In use here, and not in the store, because it refused. */
  #unsaved: Rotation | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(deps: CommitDeps, host: CommitHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** The stored session; a rotation that the store has refused so far is written first, and counts as stored anyway. */
  async load(): Promise<Stored | undefined> {
    const { records } = this.#deps;
    const stored = await records.load();
    if (!this.#unsaved) return stored;
    await this.commit(this.#unsaved, stored);
    return stored && this.#unsaved ? { ...stored, record: this.#unsaved.record } : records.load();
  }

  /**
   * In a loop, until the rotation is stored, or the stored session turns out to have moved on: then it resolves to
   * `false`. Never throws.
   */
  async commit({ record, presented }: Rotation, base: Stored | undefined): Promise<boolean> {
    const { records } = this.#deps;
    let spent = record.spent;
    try {
      for (let stored = base; ; stored = await records.load()) {
        if (isThere(record, presented, stored?.record)) return this.#settle(stored?.record);
        const because = whyDropped(record, presented, stored?.record);
        if (because) return await this.#drop(because, record, stored?.record);
        const known = new Set([...record.spent, ...(stored?.record.spent ?? [])]);
        spent = spend([...known], presented, currentDigest(record));
        const saved = await records.save({ ...record, spent }, stored);
        if (saved) return this.#settle(saved.record);
      }
    } catch (error) {
      return this.#keep({ record: { ...record, spent }, presented }, error);
    }
  }

  /** Tries a last time to write what is not in the store, and stops. */
  async close(): Promise<void> {
    if (this.#unsaved) await this.load().catch(() => {}); // told as an event
    this.forget();
  }

  /** What is not in the store belongs to a session that is over. */
  forget(): void {
    this.#unsaved = undefined;
    this.#cancelRetry?.();
  }

  #settle(record: SessionRecord | undefined): true {
    if (this.#unsaved) this.#host.announce({ type: "saved", place: this.#deps.records.place });
    this.#unsaved = undefined;
    this.#host.observe(record, "exchange");
    return true;
  }

  #keep(rotation: Rotation, error: unknown): true {
    const code = UnexpiredError.is(error) ? error.code : "STORE_UNAVAILABLE";
    if (!this.#unsaved) this.#host.announce({ type: "unsaved", place: this.#deps.records.place, code });
    this.#unsaved = rotation;
    this.#host.observe(rotation.record, "exchange");
    this.#retryLater();
    return true;
  }

  #retryLater(): void {
    this.#cancelRetry?.();
    const retry = () => void this.load().catch(() => this.#retryLater());
    this.#cancelRetry = this.#deps.clock.setTimer(retry, SAVE_AGAIN, false);
  }

  async #drop(because: Dropped, ours: SessionRecord, stored: SessionRecord | undefined): Promise<false> {
    this.#unsaved = undefined;
    this.#host.announce({ type: "rotation-dropped", because });
    this.#host.observe(stored, "store");
    if (because !== "superseded" && ours.tokens) await this.#revoke(ours.tokens);
    return false;
  }

  async #revoke(tokens: TokenSet): Promise<void> {
    try {
      await this.#deps.refresh?.revoke?.(tokens);
    } catch {
      // best effort: nobody waits for it
    }
  }
}

type Dropped = (SessionEvent & { type: "rotation-dropped" })["because"];

/** Whether an earlier save, whose outcome nobody knew, has stored it. */
const isThere = (ours: SessionRecord, presented: Digest, stored: SessionRecord | undefined): boolean =>
  currentDigest(ours) !== presented && currentDigest(stored) === currentDigest(ours);

/** Why a rotation must not be stored over what is there now. */
function whyDropped(ours: SessionRecord, presented: Digest, stored: SessionRecord | undefined): Dropped | undefined {
  if (!stored || stored.dead?.reason === "signed_out") return "signed_out";
  if (!isSameAccount(ours.account, stored)) return "account_changed";
  const isNewer = currentDigest(ours) === presented && stored.obtainedAt > ours.obtainedAt; // of a reusable token
  const isOurs = currentDigest(stored) === presented || stored.dead?.digest === presented;
  return (isOurs || isPutBack(ours, presented, stored)) && !isNewer ? undefined : "superseded";
}

/** Whether a spent refresh token was put back over ours, and not over that of a session that replaced ours. */
const isPutBack = (ours: SessionRecord, presented: Digest, stored: SessionRecord): boolean =>
  (isOutdated(stored, ours) || stored.spent.includes(currentDigest(stored) ?? "")) && !stored.spent.includes(presented);
