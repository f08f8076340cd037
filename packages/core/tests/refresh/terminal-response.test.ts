import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import type { SessionRecord } from "../../src/record/record.ts";
import { disk, gate, LEASE, write } from "../support/interference.ts";
import { recordOf } from "../support/machine.ts";
import { digest, GOAL, recordWith, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

const invalidGrant = { error: "invalid_grant", status: 400, sent: true };

describe("a terminal response", () => {
  it("ends the stored session, keeping what was saved concurrently", async () => {
    const { issuer, protocol, put, observed, stored } = await startProtocol();
    issuer.next(
      async () => {
        await put({ ...recordOf({ spent: ["x"] }) });
        throw new TokenEndpointError(invalidGrant);
      },
      { before: true },
    );
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(await stored()).toMatchObject({ dead: { reason: "session_expired" }, spent: ["x", digest(1)] });
    expect(observed.at(-1)).toEqual(["session_expired", "store"]);
  });

  it("ends the stored session even if another save comes in between", async () => {
    const { failNext, protocol, put, store, stored } = await startProtocol();
    failNext(invalidGrant);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      if (++saves === 2) await put(recordOf({ spent: ["x"] }));
      return save(value, expected);
    };
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(await stored()).toMatchObject({ dead: { reason: "session_expired" }, spent: ["x", digest(1)] });
  });

  it.each<[string, (session: Awaited<ReturnType<typeof startProtocol>>) => Promise<void>, unknown]>([
    ["another token is stored", ({ put }) => put(recordWith(7)), canary("access", 7)],
    ["nothing is stored", ({ store }) => store.remove(), undefined],
  ])("ends nothing if %s by then (P3)", async (_name, intervene, expected) => {
    const session = await startProtocol();
    const { issuer, protocol, observed, stored } = session;
    issuer.next(() => intervene(session).then(() => Promise.reject(new TokenEndpointError(invalidGrant))), {
      before: true,
    });
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect((await stored())?.tokens?.accessToken).toBe(expected);
    expect(observed.at(-1)).toEqual([expected, "store"]);
  });
});

it("is not forgotten if another program has put a spent token back by then: no process waits for the claim (P15)", async () => {
  const { clock, issuer, open, record, signIn, store } = startSession();
  const manager = await signIn(0);
  await manager.getAccessToken();
  await clock.advance(2 * HOUR);
  const old = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1), tokenType: "Bearer", extra: {} };
  const refuse = async () => {
    await write(store, (stored) => ({ ...stored, attempt: undefined, tokens: { ...old, expiresAt: clock.now() } }));
    throw new TokenEndpointError(invalidGrant);
  };
  issuer.next(refuse, { before: true });
  for (let call = 0; call < 3; call++) {
    await manager.getAccessToken().catch(() => {});
    await clock.advance(1_000);
  }
  const { attempt, dead } = await record();
  expect([dead?.reason, attempt]).toEqual(["session_expired", undefined]);
  await expect(open().getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  expect(issuer.presented).toHaveLength(2);
});

describe("a terminal response that cannot be stored", () => {
  it("is stored later even if this process looks at the store in the meantime (P15)", async () => {
    const { clock, issuer, open, record, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    const refuse = async () => {
      store.save = () => new Promise(() => {});
      throw new TokenEndpointError(invalidGrant);
    };
    issuer.next(refuse, { before: true });
    const calls = [manager.getAccessToken(), manager.getAccessToken()].map((call) => call.catch(() => {}));
    await clock.advance(1_000);
    await manager.hasSession();
    store.save = save;
    await clock.advance(40_000);
    await Promise.all(calls);
    expect(await record()).toMatchObject({ dead: { reason: "session_expired" } });
    await expect(open().getAccessToken()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
  });

  it.each<[string, SessionRecord | undefined, readonly unknown[]]>([
    ["ends the session in this process", recordOf(), ["session_expired", "store"]],
    ["changes nothing if this process knows a newer token", recordWith(7), [canary("access", 1), "store"]],
    ["changes nothing if this process knows no session", undefined, [canary("access", 1), "store"]],
  ])("%s", async (_name, record, expected) => {
    const { issuer, known, protocol, observed, store } = await startProtocol();
    issuer.next(
      async () => {
        store.load = () => Promise.reject(disk);
        known.record = record;
        throw new TokenEndpointError(invalidGrant);
      },
      { before: true },
    );
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
    expect(observed.at(-1)).toEqual(expected);
  });

  it("prevents another exchange with the same token (P1)", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => (saves++ === 0 ? save(value, expected) : Promise.reject(disk));
    issuer.next(() => new TokenEndpointError(invalidGrant), { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ reason: "session_expired" });
    store.save = save;
    const again = manager.getAccessToken().catch((error: unknown) => error);
    await clock.advance(3 * LEASE);
    await again;
    expect(issuer.presented).toHaveLength(1);
  });

  it("does not end a newer session (P3)", async () => {
    const { issuer, signIn, store, clock } = startSession();
    const manager = await signIn(0);
    const { promise, open: respond } = gate<void>();
    issuer.next(() => promise.then(() => Promise.reject(new TokenEndpointError(invalidGrant))), { before: true });
    void manager.getAccessToken().catch((error: unknown) => error);
    await settle();
    await manager.signIn({ accessToken: "new", refreshToken: "new-r", expiresAt: clock.now() + HOUR });
    store.load = async () => Promise.reject(disk);
    respond();
    await settle();
    expect(manager.state?.status).toBe("valid");
  });
});
