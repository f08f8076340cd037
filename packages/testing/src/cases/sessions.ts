import { createTokenManager } from "@unexpired/core";
import { hold } from "../contract.ts";
import { startIssuer } from "../issuer.ts";
import { refreshAt } from "../refresh.ts";
import type { StoreCase } from "./case.ts";

const PROCESSES = 8;
const EXPIRIES = 5;
const LIFETIME = 3_600_000;

const oneExchange: StoreCase = {
  name: `carries one session through ${EXPIRIES} expiries in ${PROCESSES} processes, with one exchange for each`,
  needs: ["sharing", "processes"],
  async run(scene) {
    await using issuer = await startIssuer({ latency: 20 });
    const manager = createTokenManager({ store: await scene.open() });
    await manager.signIn(issuer.signIn());
    await manager.close();
    const start = () => scene.start({ do: "session", tokenEndpoint: issuer.tokenEndpoint });
    const processes = Array.from({ length: PROCESSES }, start);
    for (const process of processes) await process.next();
    for (let expiry = 1; expiry <= EXPIRIES; expiry++) {
      for (const process of processes) process.send(expiry * 2 * LIFETIME);
      const given = new Set<unknown>();
      for (const process of processes) given.add(JSON.stringify(await process.next()));
      const [one] = given;
      hold(given.size === 1, "session", `After expiry ${expiry} the processes were given ${[...given].join(", ")}.`);
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

const signedOut: StoreCase = {
  name: "keeps a session that one manager refreshes and another one signs out",
  needs: [],
  async run(scene) {
    await using issuer = await startIssuer();
    const refresh = refreshAt(issuer.tokenEndpoint);
    await using one = createTokenManager({ store: await scene.open(), refresh });
    await using other = createTokenManager({ store: await scene.open(), refresh });
    await one.signIn({ ...issuer.signIn(), expiresAt: 0 });
    const [first, second] = await Promise.all([one.getAccessToken(), other.getAccessToken()]);
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
