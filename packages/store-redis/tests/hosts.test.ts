import { spawnSync } from "node:child_process";
import { createTokenManager } from "@unexpired/core";
import { fork, startIssuer } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { type Opening, openStore } from "./fixtures/open-store.ts";
import { CLIENTS, freshKey, TestServer } from "./support/server.ts";

const server = TestServer.use();
const module = new URL("fixtures/open-store.ts", import.meta.url);
/** A command prefix that runs a process with pid 1 and its own UTS namespace, as in a container. */
const CONTAINER = ["unshare", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child"];
const canCreateNamespaces = () => spawnSync(CONTAINER[0] ?? "", [...CONTAINER.slice(1), "true"]).status === 0;
const HOSTS = 4;
const HOUR = 3_600_000;

describe.each(CLIENTS)("through %s", (client) => {
  it(`keeps one session alive through 3 expiries on ${HOSTS} hosts, with one exchange each`, async (ctx) => {
    if (!canCreateNamespaces()) ctx.skip("not applicable: this user cannot create namespaces");
    const argument: Opening = { key: freshKey(), client, url: server.redis.url, notifies: true, wrapper: "plain" };
    await using issuer = await startIssuer();
    await using store = openStore(argument);
    await using tokens = createTokenManager({ store });
    await tokens.signIn(issuer.signIn());
    const task = { do: "session", tokenEndpoint: issuer.tokenEndpoint } as const;
    await using hosts = new AsyncDisposableStack();
    const processes = Array.from({ length: HOSTS }, () =>
      hosts.use(fork({ module, argument }, task, { within: CONTAINER })),
    );
    for (const each of processes) await each.next();
    for (let expiry = 1; expiry <= 3; expiry++) {
      for (const each of processes) each.send(expiry * 2 * HOUR);
      const given = await Promise.all(processes.map((each) => each.next()));
      expect(new Set(given).size, String(given)).toBe(1);
      expect(issuer).toMatchObject({ exchanges: expiry, revoked: 0 });
    }
  });
});
