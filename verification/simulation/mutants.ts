import { core, type Mutant } from "./mutate.ts";
import { STATE_MUTANTS } from "./state-mutants.ts";
import { STORE_MUTANTS } from "./store-mutants.ts";

/** Mutants that each break one rule. The simulator has to detect every one of them. */
export const MUTANTS: readonly Mutant[] = [
  ...STATE_MUTANTS,
  ...STORE_MUTANTS,
  {
    name: "no check for fresh tokens before claiming",
    edits: [core("refresh/decide.ts", 'if (isSatisfied(record.tokens, ctx)) return { do: "stop" };', "")],
  },
  {
    name: "claim without compare-and-set",
    edits: [
      core(
        "refresh/claim.ts",
        "const claimed = await records.save({ ...stored.record, attempt }, stored);",
        "const claimed = await records.save({ ...stored.record, attempt }, await records.load());",
      ),
    ],
  },
  {
    name: "exchange aborted after sending",
    edits: [
      core(
        "refresh/exchange.ts",
        "const controller = new AbortController();",
        'const controller = new AbortController();\n  Object.assign(clock, { cancel: () => controller.abort(new Error("the caller left")) });',
      ),
      core(
        "manager/driver.ts",
        "signal?.throwIfAborted();\n      return { ...progress, failure };",
        "if (signal?.aborted) (this.#settings.clock as unknown as { cancel?: () => void }).cancel?.();\n      signal?.throwIfAborted();\n      return { ...progress, failure };",
      ),
    ],
  },
  {
    name: "commit without compare-and-set",
    edits: [
      core(
        "refresh/commit.ts",
        "await records.save({ ...record, rotation: number, spent }, stored);",
        "await records.save({ ...record, rotation: number, spent }, await records.load());",
      ),
    ],
  },
  {
    name: "no retry after a conflict",
    edits: [
      core(
        "refresh/commit.ts",
        "if (saved) return this.#onSaved(saved.record);",
        "return this.#onSaved(saved?.record ?? record);",
      ),
    ],
  },
  {
    name: "verdict without compare-and-set",
    edits: [
      core(
        "refresh/protocol.ts",
        "if (!stored || currentDigest(stored.record) !== digest) return this",
        "if (!stored) return this",
      ),
    ],
  },
  {
    name: "old refresh token dropped",
    edits: [core("tokens/token-set.ts", "next.refreshToken ?? previous.refreshToken", "next.refreshToken")],
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
      core(
        "refresh/attempt-tracker.ts",
        "tracked.age >= lease ||",
        "this.#clock.now() >= (this.claimedAt ?? Infinity) + lease ||",
      ),
      core(
        "refresh/attempt-tracker.ts",
        "const now = this.#clock.monotonic();",
        "this.claimedAt = attempt?.claimedAt;\n    const now = this.#clock.monotonic();",
      ),
      core(
        "refresh/attempt-tracker.ts",
        "#checkedAt = Number",
        "claimedAt: number | undefined;\n  #checkedAt = Number",
      ),
    ],
  },
  {
    name: "a late tick ages the lease by its entire delay",
    edits: [
      core("refresh/attempt-tracker.ts", "Math.min(now - this.#checkedAt, 2 * interval)", "now - this.#checkedAt"),
    ],
  },
  {
    name: "tombstone removed instead of saved",
    edits: [
      core(
        "manager/sign-in-out.ts",
        "if (await records.save(record, stored)) return { record, tokens };",
        "await records.remove();\n    return { record, tokens };",
      ),
      core(
        "record/record-store.ts",
        "  async load()",
        "  remove = (): Promise<void> => this.#store.remove();\n\n  async load()",
      ),
    ],
  },
  {
    name: "late response discarded",
    edits: [
      core("refresh/protocol.ts", 'if (result.kind === "lost") this.#commitLate(late, claim, sentAt);', "void late;"),
    ],
  },
  {
    name: "unsaved rotation discarded",
    edits: [core("refresh/commit.ts", "this.#unsaved = rotation;", "")],
  },
  {
    name: "save with unknown outcome assumed to have succeeded",
    edits: [core("record/record-store.ts", "if (found?.value === value)", "if (found)")],
  },
  {
    name: "lost response treated as a failure",
    edits: [core("refresh/classify.ts", 'isAnswered ? "transient" : "lost"', '"transient"')],
  },
  {
    name: "gateway's response treated as the server's",
    edits: [core("refresh/classify.ts", "(status !== undefined && !isFromGateway)", "status !== undefined")],
  },
  {
    name: "tokens of other accounts adopted",
    edits: [
      core(
        "record/record.ts",
        "account === undefined || record.account === undefined || account === record.account",
        "account !== record.account || account === record.account",
      ),
    ],
  },
  {
    name: "old claim used after a suspension",
    edits: [core("refresh/claim.ts", "if (passed >= LEASE_MARGIN / 2) return", "if (passed < 0) return")],
  },
  {
    name: "`Retry-After` and back-off ignored",
    edits: [core("refresh/decide.ts", "if (retryAt !== undefined) return", "if (retryAt === 0) return")],
  },
  {
    name: "errors not redacted",
    edits: [
      core(
        "util/redact.ts",
        '.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);',
        ".reduce((rest) => rest, text);",
      ),
    ],
  },
  {
    name: "retries keep the process alive",
    edits: [
      core(
        "refresh/commit.ts",
        "clock.setTimer(retry, SAVE_RETRY_INTERVAL, false)",
        "clock.setTimer(retry, SAVE_RETRY_INTERVAL, true)",
      ),
    ],
  },
  {
    name: "`close()` does not wait",
    edits: [core("manager/driver.ts", "await this.#renewal?.done.catch(() => {});", "")],
  },
  {
    name: "unknown holders assumed to have ended",
    edits: [core("refresh/attempt-tracker.ts", "catch {\n      return false;", "catch {\n      return true;")],
  },
  {
    name: "sign-out does not win over a commit",
    edits: [core("refresh/commit.ts", '!stored || stored.dead?.reason === "signed_out"', "!stored")],
  },
  {
    name: "no claim before sending",
    edits: [
      core(
        "refresh/claim.ts",
        "const claimed = await records.save({ ...stored.record, attempt }, stored);",
        "const claimed = stored;",
      ),
    ],
  },
  {
    name: "exchange without a timeout",
    edits: [
      core(
        "refresh/exchange.ts",
        "clock.setTimer(onDeadline, deadlineOf(refresh), true)",
        "clock.setTimer(onDeadline, 1e9, true)",
      ),
    ],
  },
  {
    name: "restore drops the claim of an exchange in flight",
    edits: [
      core(
        "refresh/protocol.ts",
        "const attempts = [stored?.record.attempt, record?.attempt];",
        "const attempts: (Attempt | undefined)[] = [];",
      ),
    ],
  },
  {
    name: "claims recognized by their ID alone",
    edits: [
      core(
        "record/record.ts",
        "attempt?.id === other.id && attempt.holder === other.holder && attempt.claimedAt === other.claimedAt",
        "attempt?.id === other.id",
      ),
    ],
  },
];
