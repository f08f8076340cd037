import { createHash } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import type { TokenStore } from "@unexpired/core";
import type { oauth2Refresh } from "@unexpired/core/oauth2";
import { tell } from "./messages.ts";
import type { Trap } from "./trap.ts";

type Refresh = ReturnType<typeof oauth2Refresh>;

/** A store with a fault point before and after every load and save. The saved record determines the phase. */
export function trappedStore(store: TokenStore, trap: Trap): TokenStore {
  return {
    ...(store.holder && { holder: store.holder }),
    supports: store.supports,
    describe: () => store.describe(),
    remove: () => store.remove(),
    watch: (onChange) => store.watch?.(onChange) ?? (() => {}),
    load: () => trap.around("load", () => store.load()),
    save: (value, expected) =>
      trap.during(phaseOf(value), () => trap.around("save", () => store.save(value, expected))),
  };
}

/** Returns the phase of the protocol that saves this record. */
function phaseOf(value: string): string {
  const { attempt, dead } = JSON.parse(value) as { attempt?: { status: string }; dead?: object };
  if (dead) return "verdict";
  if (!attempt) return "commit";
  return attempt.status === "claimed" ? "claim" : "release";
}

/** A refresh function with fault points before the request, after its body is written, and after the response. */
export function trappedRefresh(refresh: Refresh, trap: Trap): Refresh {
  subscribe("undici:request:bodySent", () => trap.phase === "exchange" && trap.at("request-written"));
  const trapped: Refresh = (current, context) =>
    trap.during("exchange", async () => {
      const digest = createHash("sha256").update(String(current.refreshToken)).digest("base64url");
      trap.at("before-send");
      tell({ type: "presented", digest, attemptId: context.attemptId });
      const response = await refresh(current, context);
      trap.at("response-arrived");
      return response;
    });
  return Object.assign(trapped, { timeout: refresh.timeout, revoke: refresh.revoke });
}
