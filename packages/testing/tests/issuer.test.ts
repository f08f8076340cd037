import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { type Fault, type Issuer, type IssuerOptions, startIssuer } from "../src/index.ts";

/** Posts a form. Resolves to the raw response. */
async function post(issuer: Issuer, form: Record<string, string>) {
  const response = await fetch(issuer.tokenEndpoint, { method: "POST", body: new URLSearchParams(form) });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text };
}

const refresh = (issuer: Issuer, refreshToken = "test-refresh-1.1") =>
  post(issuer, { grant_type: "refresh_token", refresh_token: refreshToken });

const tokensOf = async (issuer: Issuer, refreshToken?: string) =>
  JSON.parse((await refresh(issuer, refreshToken)).text);

const verdicts = ({ requests }: Issuer) => requests.map(({ verdict }) => verdict);

/** An issuer with one session, on a clock that the test moves. */
async function startSession(options: IssuerOptions = {}) {
  const clock = { now: 1_000_000 };
  const issuer = await startIssuer({ now: () => clock.now, ...options });
  const tokens = issuer.signIn();
  return { clock, issuer, tokens, [Symbol.asyncDispose]: () => issuer[Symbol.asyncDispose]() };
}

describe("the tokens of an issuer", () => {
  it("are numbered by session and by exchange", async () => {
    await using session = await startSession();
    const { issuer, tokens } = session;
    expect(tokens).toEqual({
      accessToken: "test-access-1.1",
      refreshToken: "test-refresh-1.1",
      expiresAt: 1_000_000 + 3_600_000,
    });
    expect(issuer.signIn()).toMatchObject({ accessToken: "test-access-2.1", refreshToken: "test-refresh-2.1" });
    expect(await tokensOf(issuer)).toEqual({
      access_token: "test-access-1.2",
      refresh_token: "test-refresh-1.2",
      token_type: "Bearer",
      expires_in: 3600,
    });
    expect(await tokensOf(issuer, "test-refresh-2.1")).toMatchObject({ access_token: "test-access-2.2" });
    expect(issuer.exchanges).toBe(2);
    expect(issuer.requests[0]).toEqual({
      form: { grant_type: "refresh_token", refresh_token: "test-refresh-1.1" },
      verdict: "exchanged",
    });
  });

  it("begin with the prefix and have the configured lifetime", async () => {
    await using session = await startSession({ prefix: "needle_", expiresIn: 60 });
    expect(session.tokens).toEqual({
      accessToken: "needle_access-1.1",
      refreshToken: "needle_refresh-1.1",
      expiresAt: 1_060_000,
    });
    expect(await tokensOf(session.issuer, "needle_refresh-1.1")).toMatchObject({ expires_in: 60 });
  });

  it("are accepted until they expire or their session is revoked", async () => {
    await using session = await startSession();
    const { clock, issuer } = session;
    expect(issuer.accepts("test-access-1.1")).toBe(true);
    for (const other of ["test-access-1.2", "test-access-2.1", "test-refresh-1.1", ""])
      expect(issuer.accepts(other)).toBe(false);
    clock.now += 1_800_000;
    await refresh(issuer);
    clock.now += 1_800_000 - 1;
    expect(issuer.accepts("test-access-1.1")).toBe(true);
    clock.now += 1;
    expect(issuer.accepts("test-access-1.1")).toBe(false);
    expect(issuer.accepts("test-access-1.2")).toBe(true);
    await refresh(issuer);
    expect(issuer.accepts("test-access-1.2")).toBe(false);
  });
});

describe("a refresh token", () => {
  it("revokes only its own session if it is presented twice", async () => {
    await using session = await startSession();
    const { issuer } = session;
    const other = issuer.signIn();
    await refresh(issuer);
    const again = await refresh(issuer);
    expect(again).toMatchObject({ status: 400, text: '{"error":"invalid_grant"}' });
    expect(await refresh(issuer, "test-refresh-1.2")).toMatchObject({ status: 400 });
    expect(issuer.revoked).toBe(1);
    expect(issuer.accepts(other.accessToken)).toBe(true);
    expect(await refresh(issuer, other.refreshToken)).toMatchObject({ status: 200 });
    expect(verdicts(issuer)).toEqual(["exchanged", "reused", "revoked", "exchanged"]);
  });

  it("returns new tokens if it is replayed within the grace period", async () => {
    await using session = await startSession({ graceSeconds: 10 });
    const { clock, issuer } = session;
    await refresh(issuer);
    clock.now += 9_999;
    expect(await tokensOf(issuer)).toMatchObject({
      access_token: "test-access-1.3",
      refresh_token: "test-refresh-1.3",
    });
    expect(issuer.accepts("test-access-1.3")).toBe(true);
    clock.now += 1;
    expect(await refresh(issuer)).toMatchObject({ status: 400 });
    expect(verdicts(issuer)).toEqual(["exchanged", "replayed", "reused"]);
    expect([issuer.exchanges, issuer.revoked]).toEqual([1, 1]);
  });

  it("returns the same tokens within the grace period with replayReturns: same", async () => {
    await using session = await startSession({ graceSeconds: 10, replayReturns: "same" });
    const { clock, issuer } = session;
    const first = await tokensOf(issuer);
    clock.now += 2_000;
    expect(await tokensOf(issuer)).toEqual({ ...first, expires_in: 3598 });
    expect(await tokensOf(issuer, "test-refresh-1.2")).toMatchObject({ access_token: "test-access-1.3" });
    expect(verdicts(issuer)).toEqual(["exchanged", "replayed", "exchanged"]);
  });

  it("stays valid without rotation", async () => {
    await using session = await startSession({ rotation: false });
    for (const number of [2, 3]) {
      expect(await tokensOf(session.issuer)).toEqual({
        access_token: `test-access-1.${number}`,
        token_type: "Bearer",
        expires_in: 3600,
      });
    }
    expect([session.issuer.exchanges, session.issuer.revoked]).toEqual([2, 0]);
  });

  it("changes nothing if it is unknown or missing", async () => {
    await using session = await startSession();
    const { issuer } = session;
    expect(await refresh(issuer, "test-refresh-1.2")).toMatchObject({ text: '{"error":"invalid_grant"}' });
    expect(await post(issuer, { grant_type: "refresh_token" })).toMatchObject({ text: '{"error":"invalid_request"}' });
    expect(await post(issuer, { grant_type: "password" })).toMatchObject({
      text: '{"error":"unsupported_grant_type"}',
    });
    expect(verdicts(issuer)).toEqual(["unknown", "unknown", "unknown"]);
    expect((await fetch(issuer.tokenEndpoint)).status).toBe(404);
    expect((await fetch(`${issuer.origin}/other`, { method: "POST" })).status).toBe(404);
    expect(issuer.requests).toHaveLength(3);
    expect(await refresh(issuer)).toMatchObject({ status: 200 });
  });
});

describe("a fault", () => {
  /** Sends two requests, the first of which meets the fault. `first` is `undefined` if it received no response. */
  async function meet(fault: Fault) {
    await using session = await startSession();
    const { issuer } = session;
    issuer.next(fault);
    const first = await refresh(issuer).catch(() => undefined);
    const second = await refresh(issuer);
    return { first, second: second.status, verdicts: verdicts(issuer) };
  }

  it("responds with a status instead of processing the request", async () => {
    const { first, ...rest } = await meet({ status: 503, headers: { "retry-after": "7" } });
    expect(first).toMatchObject({ status: 503, text: "" });
    expect(first?.headers.get("retry-after")).toBe("7");
    expect(rest).toEqual({ second: 200, verdicts: ["faulty", "exchanged"] });
  });

  it("responds with a body, serializing an object as JSON", async () => {
    const { first } = await meet({ status: 400, body: { error: "invalid_client" } });
    expect(first).toMatchObject({ status: 400, text: '{"error":"invalid_client"}' });
    expect(first?.headers.get("content-type")).toBe("application/json");
  });

  it("replaces the body after processing the request", async () => {
    const { first, ...rest } = await meet({ body: "<html>é", headers: { "content-type": "text/html" } });
    expect(first).toMatchObject({ status: 200, text: "<html>é" });
    expect(first?.headers.get("content-type")).toBe("text/html");
    expect(rest).toEqual({ second: 400, verdicts: ["exchanged", "reused"] });
  });

  it("drops the connection before or after processing the request", async () => {
    expect(await meet({ drop: "before" })).toEqual({
      first: undefined,
      second: 200,
      verdicts: ["faulty", "exchanged"],
    });
    expect(await meet({ drop: "after" })).toEqual({ first: undefined, second: 400, verdicts: ["exchanged", "reused"] });
  });

  it("truncates the response", async () => {
    await using session = await startSession();
    const { issuer } = session;
    issuer.next({ truncate: true });
    const response = await fetch(issuer.tokenEndpoint, {
      method: "POST",
      body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "test-refresh-1.1" }),
    });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
    expect(verdicts(issuer)).toEqual(["exchanged"]);
  });

  it("delays the response after processing the request", async () => {
    await using session = await startSession({ latency: 1 });
    const { issuer } = session;
    issuer.next({ delay: 60 });
    const began = performance.now();
    const slow = refresh(issuer).then(() => performance.now() - began);
    const reused = await refresh(issuer).then(() => verdicts(issuer));
    expect(await slow).toBeGreaterThanOrEqual(60);
    expect(reused).toEqual(["exchanged", "reused"]);
  });

  it("applies to one request, in the order in which faults were queued", async () => {
    await using session = await startSession();
    const { issuer } = session;
    issuer.next({ status: 500 }, { status: 429 });
    issuer.next({ status: 502 });
    const statuses: number[] = [];
    for (let request = 0; request < 4; request++) statuses.push((await refresh(issuer)).status);
    expect(statuses).toEqual([500, 429, 502, 200]);
  });
});

describe("startIssuer", () => {
  it("closes open connections and pending responses when it is disposed", async () => {
    const { issuer } = await startSession();
    issuer.next({ delay: 600_000 });
    const waiting = refresh(issuer);
    const outcome = expect(waiting).rejects.toThrow();
    const idle = connect(Number(new URL(issuer.origin).port), "127.0.0.1");
    await once(idle, "connect");
    idle.write("POST /token HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\nhalf");
    const closed = once(idle, "close");
    idle.on("error", () => {}).resume();
    while (issuer.requests.length === 0) await new Promise(setImmediate);
    await issuer[Symbol.asyncDispose]();
    await outcome;
    await closed;
    await expect(refresh(issuer)).rejects.toThrow();
    await issuer[Symbol.asyncDispose]();
  });

  it("survives a client that disconnects before the response", async () => {
    await using session = await startSession();
    const { issuer } = session;
    issuer.next({ delay: 20 });
    const leaving = new AbortController();
    const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: "test-refresh-1.1" });
    const left = fetch(issuer.tokenEndpoint, { method: "POST", body, signal: leaving.signal });
    const outcome = expect(left).rejects.toThrow();
    while (issuer.requests.length === 0) await new Promise(setImmediate);
    leaving.abort();
    await outcome;
    issuer.next({ delay: 40 });
    expect(await refresh(issuer, "test-refresh-1.2")).toMatchObject({ status: 200 });
  });
});
