import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { describe, expect, it } from "vitest";
import { TokenEndpointError } from "../../src/index.ts";
import { attempt, withoutWatch, write } from "../support/interference.ts";
import { NOW, recordOf, SECOND } from "../support/machine.ts";
import { digest, type EndpointError, GOAL, startProtocol, urgent } from "../support/protocol.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

describe("a failed exchange", () => {
  it.each<[string, { readonly said: EndpointError; readonly status: string; readonly code: string }]>([
    ["not sent", { said: { sent: false }, status: "failed", code: "transient" }],
    ["an error response", { said: { status: 503, sent: true, error: "busy" }, status: "failed", code: "busy" }],
    ["lost response", { said: { sent: true }, status: "lost", code: "lost" }],
    ["a wrong client", { said: { error: "invalid_client", sent: true }, status: "failed", code: "invalid_client" }],
  ])("is recorded, announced, and not retried until its back-off ends: %s", async (_name, { said, status, code }) => {
    const { clock, failNext, issuer, protocol, observed, stored, announced } = await startProtocol();
    failNext({ ...said, retryAfter: 7 * SECOND });
    const retryAt = NOW + 7 * SECOND;
    const error: unknown = await protocol.renew(GOAL, urgent).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(code === "invalid_client" ? { code: "CONFIGURATION" } : { retryAt });
    expect(error).toHaveProperty("cause.code", "TOKEN_ENDPOINT");
    const attempted = { status, digest: digest(1), failures: 1, endedAt: NOW, retryIn: 7 * SECOND };
    expect((await stored())?.attempt).toMatchObject(attempted);
    const { status: httpStatus, error: oauthCode } = said;
    const cause = oauthCode && { error: oauthCode, ...(httpStatus && { status: httpStatus }) };
    expect(announced.at(-1)).toEqual({ type: "refresh-failed", code, retryAt, ...(cause && { cause }) });
    expect(observed.at(-1)).toEqual([canary("access", 1), "store"]);
    await expect(protocol.renew(GOAL, urgent)).rejects.toBeInstanceOf(Error);
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(7 * SECOND);
    expect(await protocol.renew(GOAL, urgent)).toBe(true);
  });

  it("explains what to do about a wrong client", async () => {
    const { failNext, protocol } = await startProtocol();
    failNext({ error: "invalid_client", description: "Unknown client.", status: 401, sent: true });
    const error = await protocol.renew(GOAL, urgent).then(String, (thrown: unknown) => (thrown as Error).message);
    expect(error).toMatch(
      /invalid_client, Unknown client\. Check the client ID, its authentication and the requested scope\. Some servers accept only client_secret_post, or only client_secret_basic\.$/,
    );
  });

  it.each<[string, EndpointError, RegExp]>([
    ["an overloaded server", { status: 503, sent: true }, /HTTP 503\. Try again after [^ ]+$/],
    ["a wrong client", { error: "invalid_client", status: 401, sent: true }, /client_secret_basic\.$/],
  ])("is not repeated in its back-off, and the error says that nothing was sent: %s", async (_name, said, first) => {
    const { clock, issuer, open, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError({ ...said, retryAfter: 7 * SECOND }), { before: true });
    await expect(manager.refresh()).rejects.toThrow(first);
    const until = new Date(clock.now() + 7 * SECOND).toISOString();
    const notSent = `. Nothing was sent this time: all processes leave the token endpoint alone until ${until}.`;
    for (const each of [manager, open()])
      await expect(each.refresh()).rejects.toMatchObject({
        message: expect.stringMatching(new RegExp(`${notSent.replaceAll(".", "\\.")}$`)),
        cause: { code: "TOKEN_ENDPOINT" },
      });
    expect(issuer.presented).toHaveLength(1);
  });

  it("is reported without a cause if another process made it", async () => {
    const theirs = attempt(1, { status: "failed", endedAt: NOW, retryIn: SECOND });
    const { failNext, protocol, put } = await startProtocol();
    failNext({ error: "invalid_client", status: 401, sent: true });
    await protocol.renew(GOAL, urgent).catch(() => {});
    await put(recordOf({ attempt: theirs }));
    await expect(protocol.renew(GOAL, urgent)).rejects.not.toHaveProperty("cause.code");
  });

  it("is followed by a longer back-off each time", async () => {
    const { failNext, protocol, stored } = await startProtocol(
      recordOf({ attempt: attempt(1, { status: "failed", failures: 5 }) }),
    );
    failNext({ status: 503, sent: true });
    await expect(protocol.renew(GOAL, urgent)).rejects.toMatchObject({ code: "REFRESH_FAILED" });
    const { failures, retryIn = 0 } = (await stored())?.attempt ?? {};
    expect(failures).toBe(6);
    expect(retryIn).toBeGreaterThanOrEqual(24 * SECOND);
  });
});

describe("Retry-After", () => {
  it("is honored for at most an hour, and does not keep refresh() from trying", async () => {
    const { clock, issuer, signIn } = startSession();
    const manager = await signIn(0);
    for (let failure = 0; failure < 4; failure++)
      issuer.next(() => new TokenEndpointError({ status: 503, retryAfter: 86_400_000, sent: true }), { before: true });
    const retryAt = clock.now() + HOUR;
    await expect(manager.getAccessToken()).rejects.toMatchObject({ retryAt });
    await expect(manager.refresh()).rejects.toMatchObject({ retryAt });
    expect(issuer.presented).toHaveLength(1);
    await clock.advance(1_000);
    await expect(manager.getAccessToken()).rejects.toMatchObject({ retryAt });
    expect(issuer.presented).toHaveLength(1);
    const impatient = Array.from({ length: 100 }, () => manager.refresh().catch(() => {}));
    await Promise.all(impatient);
    expect(issuer.presented).toHaveLength(2);
    let seconds = 0;
    for (; !(await manager.refresh().catch(() => undefined)); seconds++) await clock.advance(1_000);
    expect(issuer.presented).toHaveLength(5);
    expect(seconds).toBeLessThanOrEqual(2 + 4 + 8);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
  });
});

describe("the back-off", () => {
  it("holds across processes whose clocks differ (P13)", async () => {
    const { clock, issuer, open, signIn } = startSession();
    await signIn(0);
    const ahead = { now: () => clock.now() + 600_000, monotonic: clock.monotonic, setTimer: clock.setTimer };
    const [a, b] = [open(), open({ clock: ahead })];
    for (let failure = 0; failure < 200; failure++)
      issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
    for (let round = 0; round < 50; round++) {
      await a.getAccessToken().catch(() => {});
      await b.getAccessToken().catch(() => {});
      await clock.advance(20);
    }
    expect(issuer.presented.length).toBeLessThanOrEqual(3);
  });

  it("leaves a valid token alone after a forced exchange of another process failed", async () => {
    const { clock, signIn, store, open, issuer } = startSession();
    withoutWatch(store);
    await signIn(HOUR);
    await write(store, (record) => ({ ...record, attempt: attempt(1) }));
    const manager = open();
    await manager.getAccessToken();
    await write(store, (r) => ({
      ...r,
      attempt: attempt(1, { status: "failed", endedAt: clock.now(), retryIn: 1_000 }),
    }));
    await clock.advance(2_000);
    await manager.getAccessToken();
    await clock.advance(1_000);
    expect(issuer.presented).toHaveLength(0);
  });

  it("does not report an earlier failure of its own as the cause of that of another process", async () => {
    const { clock, issuer, signIn, store } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError({ status: 503, sent: true }), { before: true });
    await manager.getAccessToken().catch(() => {});
    await clock.advance(5_000);
    await manager.getAccessToken();
    await clock.advance(2 * HOUR);
    await write(store, (record) => ({
      ...record,
      attempt: attempt(2, { status: "failed", endedAt: clock.now(), retryIn: 1_000 }),
    }));
    const error = (await manager.getAccessToken().catch((error: unknown) => error)) as Error;
    expect(error.message).not.toContain("503");
  });

  it("reports a wrong client to the next caller, too, and to other processes", async () => {
    const { issuer, open, signIn } = startSession();
    const manager = await signIn(0);
    issuer.next(() => new TokenEndpointError({ error: "invalid_client", status: 401, sent: true }), { before: true });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
    await expect(manager.getAccessToken()).rejects.toMatchObject({ code: "CONFIGURATION" });
    await expect(open().getAccessToken()).rejects.toMatchObject({
      code: "CONFIGURATION",
      cause: { status: 401, error: "invalid_client" },
    });
    expect(issuer.presented).toHaveLength(1);
  });

  it("prevents a loop if the server repeats an expired access token (P13)", async () => {
    const { clock, open } = startSession();
    let exchanges = 0;
    const refresh = async () => {
      if (++exchanges > 200) return new Promise<never>(() => {});
      return { access_token: "constant", refresh_token: `r${exchanges}`, expires_in: 0 };
    };
    const manager = open({ refresh });
    await manager.signIn({ accessToken: "constant", refreshToken: "r0", expiresAt: clock.now() });
    const token = manager.getAccessToken();
    for (let turn = 0; turn < 300; turn++) await settle();
    expect(exchanges).toBeLessThan(3);
    await token;
  });
});
