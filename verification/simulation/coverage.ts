import type { Program } from "./program.ts";
import type { World } from "./world.ts";
import type { WorldOptions } from "./world-options.ts";

/** The state of a world as far as the protocol distinguishes it: the record, and the view of each program. */
export function coverageOf({ invariants, options }: World, programs: readonly Program[]): string {
  const record = invariants.records.current;
  const stored = record?.dead?.reason ?? (record?.tokens ? "tokens" : "none");
  const { attempt, signIn } = record ?? {};
  const asking = signIn ? (signIn.failure ?? "asking") : "";
  const claim = `${attempt ? `${attempt.status}${attempt.afterLoss ? " again" : ""}` : ""}${asking}`;
  const views = programs.map(viewOf);
  return `${storeOf(options)}: ${stored} ${claim} | ${views.sort().join(" ")}`;
}

function storeOf({ document, reconnectsWithin, kind }: WorldOptions): string {
  if (document !== "none") return document;
  return reconnectsWithin === undefined ? kind : "cluster";
}

function viewOf({ manager, process, isClosed }: Program): string {
  if (isClosed) return "closed";
  if (process.state !== "running") return process.state;
  const { state } = manager;
  if (state?.status === "dead") return state.reason;
  const isExpired = state !== undefined && "usable" in state && !state.usable;
  return `${state?.status ?? "unknown"}${isExpired ? "!" : ""}`;
}
