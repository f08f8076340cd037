import { createTokenManager, type TokenStore } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { ConformanceError, expectSuccess, expectThat } from "../../contract.ts";
import { startIssuer } from "../../issuer.ts";
import { within } from "../../within.ts";
import type { Remote } from "../fork.ts";
import { withMethods } from "../time-limit.ts";
import type { StoreCase } from "./case.ts";

const PROCESSES = 8;
const EXPIRIES = 5;
const LOADS = 1_000;
const TIMEOUT = 20_000; // ms; generous: the operation takes milliseconds
const LIFETIME = 3_600_000;

/** Limits the loads, because a broken store can keep a token manager in an endless loop that no timeout interrupts. */
function withLoadLimit(store: TokenStore): TokenStore {
  let loads = 0;
  return withMethods(store, {
    async load() {
      expectThat(++loads < LOADS, "session", `A token manager called load() ${LOADS} times without making progress.`);
      return store.load();
    },
  });
}

const oneExchange: StoreCase = {
  name: `keeps one session alive through ${EXPIRIES} expiries in ${PROCESSES} processes, with one exchange each`,
  needs: ["sharing", "processes", "refreshTokens"],
  async run(scene) {
    await using issuer = await startIssuer({ latency: 20 });
    const manager = createTokenManager({ store: withLoadLimit(await scene.open()) });
    await manager.signIn(issuer.signIn());
    await manager.close();
    const start = () => scene.start({ do: "session", tokenEndpoint: issuer.tokenEndpoint });
    const processes = Array.from({ length: PROCESSES }, start);
    for (const each of processes) await expectSuccess(each.next(), "session", "Opening the store in another process");
    for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
      for (const each of processes) each.send(expiry * 2 * LIFETIME);
      const results = new Set<unknown>();
      for (const each of processes) results.add(JSON.stringify(await tokenOf(each)));
      const [one] = results;
      expectThat(
        results.size === 1,
        "session",
        `After expiry ${expiry}, the processes got ${[...results].join(" and ")}.`,
      );
      expectThat(!String(one).includes("error"), "session", `After expiry ${expiry}, every process got ${one}.`);
      expectThat(
        issuer.exchanges === expiry,
        "session",
        `After ${expiry} expiries, there were ${issuer.exchanges} exchanges.`,
      );
    }
    expectThat(
      issuer.requests.length === EXPIRIES,
      "session",
      `${issuer.requests.length} requests were sent for ${EXPIRIES} expiries.`,
    );
  },
};

async function tokenOf(each: Remote): Promise<unknown> {
  const whose = `One of ${PROCESSES} processes that share a session`;
  const late = () => new ConformanceError("session", `${whose} got neither a token nor an error within ${TIMEOUT} ms.`);
  return expectSuccess(within(TIMEOUT, each.next(), late), "session", whose);
}

const signedOut: StoreCase = {
  name: "shares a session between a manager that refreshes and one that signs out",
  needs: ["refreshTokens"],
  async run(scene) {
    await using issuer = await startIssuer();
    const refresh = oauth2Refresh({ tokenEndpoint: issuer.tokenEndpoint, clientId: "kit" });
    await using one = createTokenManager({ store: withLoadLimit(await scene.open()), refresh });
    await using other = createTokenManager({ store: withLoadLimit(await scene.open()), refresh });
    await one.signIn({ ...issuer.signIn(), expiresAt: 0 });
    const both = Promise.all([one.getAccessToken(), other.getAccessToken()]);
    const late = () =>
      new ConformanceError("session", `Two managers on one store got no access token within ${TIMEOUT} ms.`);
    const [first, second] = await expectSuccess(
      within(TIMEOUT, both, late),
      "session",
      "One of two managers on one store",
    );
    expectThat(first === second, "session", "Two managers on one store returned different access tokens.");
    expectThat(issuer.exchanges === 1, "session", `Two managers on one store made ${issuer.exchanges} exchanges.`);
    await other.signOut({ revoke: false });
    const refused = await one.refresh().then(
      () => undefined,
      (error: { reason?: unknown }) => error.reason,
    );
    expectThat(
      refused === "signed_out",
      "session",
      `After one manager signed out, refresh() of another one ended with reason ${refused}.`,
    );
  },
};

export const sessionCases: readonly StoreCase[] = [oneExchange, signedOut];
