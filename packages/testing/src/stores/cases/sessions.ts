import { createTokenManager, type TokenStore } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { ConformanceError, hold, success } from "../../contract.ts";
import { startIssuer } from "../../issuer.ts";
import { within } from "../../within.ts";
import type { Remote } from "../fork.ts";
import type { StoreCase } from "./case.ts";

const PROCESSES = 8;
const EXPIRIES = 5;
const LOADS = 1_000;
const BOUND = 20_000; // ms, for what takes milliseconds
const LIFETIME = 3_600_000;

/** A broken store may keep a manager busy for ever, in one go: it is stopped. */
function patient(store: TokenStore): TokenStore {
  let loads = 0;
  const load = async () => {
    hold(++loads < LOADS, "session", `A manager asked for ${LOADS} load()s, and found no way on.`);
    return store.load();
  };
  return new Proxy(store, {
    get(target, key) {
      const value: unknown = key === "load" ? load : Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const oneExchange: StoreCase = {
  name: `carries one session through ${EXPIRIES} expiries in ${PROCESSES} processes, with one exchange for each`,
  needs: ["sharing", "processes"],
  async run(scene) {
    await using issuer = await startIssuer({ latency: 20 });
    const manager = createTokenManager({ store: patient(await scene.open()) });
    await manager.signIn(issuer.signIn());
    await manager.close();
    const start = () => scene.start({ do: "session", tokenEndpoint: issuer.tokenEndpoint });
    const processes = Array.from({ length: PROCESSES }, start);
    for (const each of processes) await success(each.next(), "session", "To open the store in another process");
    for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
      for (const each of processes) each.send(expiry * 2 * LIFETIME);
      const given = new Set<unknown>();
      for (const each of processes) given.add(JSON.stringify(await answerOf(each)));
      const [one] = given;
      hold(given.size === 1, "session", `After expiry ${expiry} the processes were given ${[...given].join(" and ")}.`);
      hold(!String(one).includes("error"), "session", `After expiry ${expiry} every process was given ${one}.`);
      hold(
        issuer.exchanges === expiry,
        "session",
        `After ${expiry} expiries there were ${issuer.exchanges} exchanges.`,
      );
    }
    hold(
      issuer.requests.length === EXPIRIES,
      "session",
      `${issuer.requests.length} requests were sent for ${EXPIRIES} expiries.`,
    );
  },
};

async function answerOf(each: Remote): Promise<unknown> {
  const whose = `One of ${PROCESSES} processes on one session`;
  const late = () => new ConformanceError("session", `${whose} had neither a token nor an error in ${BOUND} ms.`);
  return success(within(BOUND, each.next(), late), "session", whose);
}

const signedOut: StoreCase = {
  name: "keeps a session that one manager refreshes and another one signs out",
  needs: [],
  async run(scene) {
    await using issuer = await startIssuer();
    const refresh = oauth2Refresh({ tokenEndpoint: issuer.tokenEndpoint, clientId: "kit" });
    await using one = createTokenManager({ store: patient(await scene.open()), refresh });
    await using other = createTokenManager({ store: patient(await scene.open()), refresh });
    await one.signIn({ ...issuer.signIn(), expiresAt: 0 });
    const both = Promise.all([one.getAccessToken(), other.getAccessToken()]);
    const late = () => new ConformanceError("session", `Two managers on one store had no access token in ${BOUND} ms.`);
    const [first, second] = await success(within(BOUND, both, late), "session", "One of two managers on one store");
    hold(first === second, "session", "Two managers on one store gave two access tokens.");
    hold(issuer.exchanges === 1, "session", `Two managers on one store made ${issuer.exchanges} exchanges.`);
    await other.signOut({ revoke: false });
    const refused = await one.refresh().then(
      () => undefined,
      (error: { reason?: unknown }) => error.reason,
    );
    hold(
      refused === "signed_out",
      "session",
      `After one manager had signed out, another one's refresh() ended with ${refused}.`,
    );
  },
};

export const sessionCases: readonly StoreCase[] = [oneExchange, signedOut];
