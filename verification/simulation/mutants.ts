import type { Edit, Mutant } from "./mutate.ts";
import { STORE_MUTANTS } from "./store-mutants.ts";

const core = (file: string, find: string, replace: string): Edit => ({
  file: `packages/core/src/${file}`,
  find,
  replace,
});

/** Each breaks one rule; the simulator has to find every one. */
export const MUTANTS: readonly Mutant[] = [
  ...STORE_MUTANTS,
  {
    name: "no look before claiming",
    edits: [core("decide.ts", 'if (isGoodEnough(record.tokens, view)) return { do: "stop" };', "")],
  },
  {
    name: "claim without compare-and-set",
    edits: [
      core(
        "claim.ts",
        "const claimed = await records.save({ ...stored.record, attempt }, stored);",
        "const claimed = await records.save({ ...stored.record, attempt }, await records.load());",
      ),
    ],
  },
  {
    name: "abort after send",
    edits: [
      core(
        "exchange.ts",
        "const controller = new AbortController();",
        'const controller = new AbortController();\n  Object.assign(clock, { cancel: () => controller.abort(new Error("the caller left")) });',
      ),
      core(
        "driver.ts",
        "signal?.throwIfAborted();\n      return { ...tried, failure };",
        "if (signal?.aborted) (this.#settings.clock as unknown as { cancel?: () => void }).cancel?.();\n      signal?.throwIfAborted();\n      return { ...tried, failure };",
      ),
    ],
  },
  {
    name: "commit without compare-and-set",
    edits: [
      core(
        "commit.ts",
        "await records.save({ ...record, spent }, stored);",
        "await records.save({ ...record, spent }, await records.load());",
      ),
    ],
  },
  {
    name: "no loop on conflict",
    edits: [
      core(
        "commit.ts",
        "if (saved) return this.#settle(saved.record);",
        "return this.#settle(saved?.record ?? record);",
      ),
    ],
  },
  {
    name: "verdict without compare-and-set",
    edits: [
      core(
        "protocol.ts",
        "if (!stored || currentDigest(stored.record) !== digest) return this",
        "if (!stored) return this",
      ),
    ],
  },
  {
    name: "old refresh token dropped",
    edits: [core("token-set.ts", "next.refreshToken ?? previous.refreshToken", "next.refreshToken")],
  },
  {
    name: "`spent` ignored by the file store",
    edits: [
      core("record/reconcile.ts", "if (digest !== undefined && current.spent.includes(digest)) return false;", ""),
    ],
  },
  {
    name: "lease by wall clock",
    edits: [
      core("attempt-watch.ts", "seen.age >= lease ||", "this.#clock.now() >= (this.claimedAt ?? Infinity) + lease ||"),
      core(
        "attempt-watch.ts",
        "const now = this.#clock.monotonic();",
        "this.claimedAt = attempt?.claimedAt;\n    const now = this.#clock.monotonic();",
      ),
      core("attempt-watch.ts", "#lookedAt = Number", "claimedAt: number | undefined;\n  #lookedAt = Number"),
    ],
  },
  {
    name: "a late tick ages the lease by all of its lateness",
    edits: [core("attempt-watch.ts", "Math.min(now - this.#lookedAt, 2 * interval)", "now - this.#lookedAt")],
  },
  {
    name: "a tombstone removed instead of saved",
    edits: [
      core(
        "sign.ts",
        "if (await records.save(record, stored)) return { record, tokens };",
        "await records.remove();\n    return { record, tokens };",
      ),
      core(
        "record-store.ts",
        "  /** @throws StoreError */\n  async load()",
        "  remove = (): Promise<void> => this.#store.remove();\n\n  async load()",
      ),
    ],
  },
  {
    name: "a late answer thrown away",
    edits: [core("protocol.ts", 'if (result.kind === "lost") this.#commitLate(late, claim, sentAt);', "void late;")],
  },
  {
    name: "a rotation that cannot be saved thrown away",
    edits: [core("commit.ts", "this.#unsaved = rotation;", "")],
  },
  {
    name: "a save of unknown outcome taken for done",
    edits: [core("record-store.ts", "if (found?.value === value)", "if (found)")],
  },
  {
    name: "a lost answer taken for a failure",
    edits: [core("classify.ts", 'isAnswered ? "transient" : "lost"', '"transient"')],
  },
  {
    name: "a gateway's answer taken for the server's",
    edits: [core("classify.ts", "(status !== undefined && !isFromGateway)", "status !== undefined")],
  },
  {
    name: "other accounts adopted",
    edits: [
      core(
        "record.ts",
        "account === undefined || record.account === undefined || account === record.account",
        "account !== record.account || account === record.account",
      ),
    ],
  },
  {
    name: "an old claim used after a suspension",
    edits: [core("claim.ts", "if (passed >= LEASE_MARGIN / 2) return", "if (passed < 0) return")],
  },
  {
    name: "`Retry-After` and back-off ignored",
    edits: [core("decide.ts", "if (retryAt !== undefined) return", "if (retryAt === 0) return")],
  },
  {
    name: "no rest after an exchange",
    edits: [
      core("session.ts", "if (by.monotonic < session.quietUntil) return false;", ""),
      core("machine.ts", "if (fresh <= 0 && !tried.renewed)", "if (!tried.renewed)"),
    ],
  },
  {
    name: "the refused token given again",
    edits: [
      core(
        "session.ts",
        "if (!tokens || tokens.accessToken === session.rejected) return false;",
        "if (!tokens) return false;",
      ),
      core("machine.ts", "session.record?.tokens?.accessToken !== accessToken) return stay", "true) return stay"),
    ],
  },
  {
    name: "errors not redacted",
    edits: [
      core(
        "redact.ts",
        '.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);',
        ".reduce((rest) => rest, text);",
      ),
    ],
  },
  {
    name: "retries keep the process alive",
    edits: [core("commit.ts", "clock.setTimer(retry, SAVE_AGAIN, false)", "clock.setTimer(retry, SAVE_AGAIN, true)")],
  },
  {
    name: "`close()` does not wait",
    edits: [core("driver.ts", "await this.#renewal?.done.catch(() => {}); // whoever waits for it gets the error", "")],
  },
  {
    name: "holders that nobody knows about taken for gone",
    edits: [core("attempt-watch.ts", "return false; // not certain: the lease decides", "return true;")],
  },
  {
    name: "signed out does not win",
    edits: [core("commit.ts", '!stored || stored.dead?.reason === "signed_out"', "!stored")],
  },
  {
    name: "no claim before sending",
    edits: [
      core(
        "claim.ts",
        "const claimed = await records.save({ ...stored.record, attempt }, stored);",
        "const claimed = stored;",
      ),
    ],
  },
  {
    name: "an exchange without a deadline",
    edits: [
      core(
        "exchange.ts",
        "clock.setTimer(onDeadline, deadlineOf(refresh), true)",
        "clock.setTimer(onDeadline, 1e9, true)",
      ),
    ],
  },
  {
    name: "the claim of an exchange in flight dropped by a restore",
    edits: [
      core(
        "protocol.ts",
        "const attempts = [stored?.record.attempt, record?.attempt];",
        "const attempts: (Attempt | undefined)[] = [];",
      ),
    ],
  },
];
