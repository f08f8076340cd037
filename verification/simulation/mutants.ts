import { DOCUMENT_MUTANTS } from "./document-mutants.ts";
import { FAILOVER_MUTANTS } from "./failover-mutants.ts";
import { HOLDER_MUTANTS } from "./holder-mutants.ts";
import { core, type Mutant } from "./mutate.ts";
import { PENDING_MUTANTS } from "./pending-mutants.ts";
import { SIGN_IN_MUTANTS } from "./sign-in-mutants.ts";
import { STATE_MUTANTS } from "./state-mutants.ts";
import { STORE_MUTANTS } from "./store-mutants.ts";
import { VERDICT_MUTANTS } from "./verdict-mutants.ts";

/** Mutants that each break one rule. The simulator has to detect every one of them. */
export const MUTANTS: readonly Mutant[] = [
  ...STATE_MUTANTS,
  ...VERDICT_MUTANTS,
  ...STORE_MUTANTS,
  ...HOLDER_MUTANTS,
  ...PENDING_MUTANTS,
  ...DOCUMENT_MUTANTS,
  ...SIGN_IN_MUTANTS,
  ...FAILOVER_MUTANTS,
  {
    name: "no check for fresh tokens before claiming",
    edits: [core("refresh/decide.ts", 'if (isSatisfied(record, ctx)) return { do: "stop" };', "")],
  },
  {
    name: "claim without compare-and-set",
    edits: [
      core(
        "refresh/claim.ts",
        "const saved = await records.save({ ...stored.record, attempt }, stored);",
        "const saved = await records.save({ ...stored.record, attempt }, await records.load());",
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
        "refresh/pending-changes.ts",
        "const saved = await this.#deps.records.save(recordAfter(rotation, stored?.record), stored);",
        "const saved = await this.#deps.records.save(recordAfter(rotation, stored?.record), await this.#deps.records.load());",
      ),
    ],
  },
  {
    name: "no retry after a conflict",
    edits: [
      core(
        "refresh/pending-changes.ts",
        'if (saved) return this.#onSaved(rotation, saved.current, saved.current === saved.record ? "exchange" : "store");',
        "return this.#onSaved(rotation, saved?.record ?? rotation.record);",
      ),
    ],
  },
  {
    name: "verdict without compare-and-set",
    edits: [
      core(
        "refresh/claim.ts",
        "if (!stored || currentDigest(stored.record) !== digest) return stored?.record;",
        "if (!stored) return undefined;",
      ),
      core("refresh/claim.ts", "      currentDigest(record) === digest\n", "      record\n"),
    ],
  },
  {
    name: "old refresh token dropped",
    edits: [core("tokens/token-set.ts", "next.refreshToken ?? previous.refreshToken", "next.refreshToken")],
    focus: { faults: ["no refresh_token"] },
  },
  {
    name: "lease by wall clock",
    edits: [
      core(
        "refresh/attempt-tracker.ts",
        "isAbandoned: age >= claim.lease ||",
        "isAbandoned: Math.max(age, this.#clock.now() - claim.claimedAt) >= claim.lease ||",
      ),
    ],
  },
  {
    name: "a late tick ages the lease by its entire delay",
    edits: [
      core(
        "refresh/attempt-tracker.ts",
        "Math.min(now - this.#tracked.countedAt, 2 * interval)",
        "now - this.#tracked.countedAt",
      ),
    ],
    focus: { world: { kind: "shared", platform: "none", processes: 3, machines: 2, skew: 0 }, faults: ["suspend"] },
  },
  {
    name: "tombstone removed instead of saved",
    edits: [
      core(
        "manager/sign-in-out.ts",
        "const saved = await records.save(record, stored);\n    if (saved) return { ...saved, tokens };",
        "await records.remove();\n    return { record, current: record, tokens };",
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
      core("refresh/exchanger.ts", 'if (result.kind === "lost") this.#commitLate(late, claim, sentAt);', "void late;"),
    ],
  },
  {
    name: "unsaved rotation discarded",
    edits: [core("refresh/pending-changes.ts", "this.#rotation = rotation;", "")],
  },
  {
    name: "save with unknown outcome assumed to have succeeded",
    edits: [core("record/record-store.ts", "if (found?.value === value)", "if (found)")],
  },
  {
    name: "lost response treated as a failure",
    edits: [core("refresh/verdict.ts", 'toCode(response.error) !== "" ? "transient" : "lost"', '"transient"')],
  },
  {
    name: "gateway's response treated as the server's",
    edits: [core("refresh/verdict.ts", 'isOverloaded(response) ? "transient" : "lost"', '"transient"')],
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
        "refresh/pending-changes.ts",
        "clock.setTimer(() => void this.#retry(), delay, false)",
        "clock.setTimer(() => void this.#retry(), delay, true)",
      ),
    ],
  },
  {
    name: "`close()` does not wait",
    edits: [core("manager/driver.ts", "await this.#renewal?.done.catch(() => {});", "")],
  },
  {
    name: "sign-out does not win over a commit",
    edits: [
      core("refresh/rotation.ts", '!stored || isEmpty(stored) || stored.dead?.reason === "signed_out"', "!stored"),
    ],
  },
  {
    name: "no claim before sending",
    edits: [
      core(
        "refresh/claim.ts",
        "const saved = await records.save({ ...stored.record, attempt }, stored);",
        "const saved: Saved = { ...stored, current: stored.record };",
      ),
    ],
  },
  {
    name: "exchange without a timeout",
    edits: [
      core(
        "refresh/exchange.ts",
        "onPunctualTick(onDeadline, clock, { milliseconds: deadline })",
        "clock.setTimer(onDeadline, 1e9, true)",
      ),
    ],
  },
  {
    name: "restore drops the claim of an exchange in flight",
    edits: [
      core(
        "record/rollback.ts",
        "const attempts = [found?.attempt, record.attempt];",
        "const attempts: (Attempt | undefined)[] = [];",
      ),
    ],
    focus: {
      world: { kind: "shared", skew: 0 },
      faults: ["old session restored by another program", "slow response"],
    },
  },
];
