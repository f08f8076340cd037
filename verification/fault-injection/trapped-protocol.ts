import { createHash } from "node:crypto";
import { subscribe } from "node:diagnostics_channel";
import { SignInFailedError, type SignInFlow, type TokenSetInput, type TokenStore } from "@unexpired/core";
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
  const { attempt, dead, renewed, tokens, signIn }: Saved = JSON.parse(value);
  if (dead) return "verdict";
  if (attempt) return attempt.status === "claimed" ? "claim" : "release";
  if (renewed) return "commit";
  if (tokens) return "sign-in-commit";
  return signIn && signIn.failure === undefined ? "sign-in-claim" : "sign-in-end";
}

interface Saved {
  readonly attempt?: { readonly status: string };
  readonly dead?: object;
  readonly renewed?: boolean;
  readonly tokens?: object;
  readonly signIn?: { readonly failure?: string };
}

/** A flow whose user is in another process, with fault points before and after the user's response. */
export function trappedFlow(trap: Trap, response: () => Promise<string | undefined>): SignInFlow {
  return () =>
    trap.during("sign-in-prompt", async () => {
      tell({ type: "prompted" });
      trap.at("asked");
      const refreshToken = await response();
      trap.at("responded");
      if (refreshToken === undefined) throw new SignInFailedError("refused");
      return expiredTokens(refreshToken);
    });
}

/** The tokens of a sign-in. The first call has to refresh them. */
export const expiredTokens = (refreshToken: string): TokenSetInput => ({
  accessToken: `at-${refreshToken}`,
  refreshToken,
  expiresAt: 0,
});

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
