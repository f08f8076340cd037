import { canary } from "@unexpired-internal/test-support/canary";
import { settle } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTokenManager, TokenEndpointError } from "../../src/index.ts";
import { type OAuth2RefreshOptions, oauth2Refresh } from "../../src/oauth2.ts";
import type { RefreshFunction, TokenSet } from "../../src/types.ts";
import { gate } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession } from "../support/session.ts";

const tokens: TokenSet = {
  accessToken: canary("access", 1),
  refreshToken: canary("refresh", 1),
  tokenType: "Bearer",
  extra: {},
};
const REFRESHED = { access_token: canary("access", 2), refresh_token: canary("refresh", 2), expires_in: 3600 };

/** An authorization server behind a `fetch` function, and the options that a discovery of it returns. */
function startServer(more: Partial<OAuth2RefreshOptions> = {}) {
  const requests: string[] = [];
  const send: typeof fetch = async (input, init) => {
    const url = String(input);
    requests.push(url);
    if (init?.signal?.aborted) throw init.signal.reason;
    return url.endsWith("/revoke") ? new Response("") : Response.json(REFRESHED);
  };
  const options: OAuth2RefreshOptions = {
    tokenEndpoint: "https://a.example/token",
    clientId: "c",
    fetch: send,
    ...more,
  };
  return { options, requests };
}

const exchange = (refresh: RefreshFunction, signal = new AbortController().signal) =>
  refresh(tokens, { signal, attemptId: "1" });

const failure = async (promise: Promise<unknown>): Promise<TokenEndpointError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TokenEndpointError);
  expect(printed(error)).not.toContain("canary");
  return error as TokenEndpointError;
};

describe("options that are known only after discovery", () => {
  it("are obtained before the first exchange, and kept", async () => {
    const { options, requests } = startServer();
    const discover = vi.fn(async () => options);
    const refresh = oauth2Refresh(discover);
    expect(discover).not.toHaveBeenCalled();
    expect(await exchange(refresh)).toMatchObject(REFRESHED);
    expect(await exchange(refresh)).toMatchObject(REFRESHED);
    expect(discover).toHaveBeenCalledTimes(1);
    expect(requests).toEqual(Array(2).fill("https://a.example/token"));
  });

  it("are obtained once for concurrent calls", async () => {
    const { options, requests } = startServer({ revocationEndpoint: "https://a.example/revoke" });
    const { promise, open } = gate<void>();
    const discover = vi.fn(() => promise.then(() => options));
    const refresh = oauth2Refresh(discover);
    const all = [exchange(refresh), exchange(refresh), refresh.revoke?.(tokens)];
    await settle();
    open();
    await Promise.all(all);
    expect(discover).toHaveBeenCalledTimes(1);
    expect(requests).toHaveLength(3);
  });

  it.each<[string, () => Promise<OAuth2RefreshOptions>, RegExp]>([
    ["rejects", () => Promise.reject(new Error(`503 ${canary("refresh", 1)}`)), /received no request: 503 \[secret\]$/],
    [
      "throws",
      () => {
        throw new Error("no network");
      },
      /received no request: no network$/,
    ],
    [
      "rejects with an error of its own endpoint, to which a request was sent",
      () => Promise.reject(new TokenEndpointError({ sent: true, status: 400, error: "invalid_grant" })),
      /received no request: The token endpoint responded with HTTP 400, invalid_grant$/,
    ],
    [
      "returns nothing",
      async () => undefined as never,
      /: oauth2Refresh: expected an object of options, not undefined$/,
    ],
    [
      "returns no client ID",
      async () => ({ tokenEndpoint: "https://a.example" }) as never,
      /: clientId: expected a non/,
    ],
    [
      "returns an unknown option",
      async () => ({ ...startServer().options, token_endpoint: "canary" }) as never,
      /: oauth2Refresh: unknown option "token_endpoint"\. Supported: tokenEndpoint, /,
    ],
    [
      "returns an endpoint of plain http",
      async () => startServer({ tokenEndpoint: "http://auth.internal/token" }).options,
      /: tokenEndpoint: expected https, because auth\.internal is not this machine\. .*allowInsecure: true/,
    ],
    ["returns an invalid timeout", async () => startServer({ timeout: 0 }).options, /: timeout: expected milliseconds/],
  ])("are obtained again next time, and nothing is sent, if the function %s", async (_name, fail, message) => {
    const { options, requests } = startServer();
    const discover = vi.fn(async () => options);
    discover.mockImplementationOnce(fail);
    const refresh = oauth2Refresh(discover);
    const error = await failure(exchange(refresh));
    expect(error).toMatchObject({ sent: false, error: undefined, message: expect.stringMatching(message) });
    expect(error.cause).toMatchObject({ message: "The options of oauth2Refresh could not be obtained." });
    expect(requests).toEqual([]);
    expect(await exchange(refresh)).toMatchObject(REFRESHED);
  });
});

describe("a function that returns no options in time", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const never = () => new Promise<OAuth2RefreshOptions>(() => {});

  it("ends before the deadline of the exchange, as not sent, and is called again", async () => {
    const { options } = startServer();
    const discover = vi.fn(async () => options);
    discover.mockImplementationOnce(never);
    const refresh = oauth2Refresh(discover);
    const pending = failure(exchange(refresh));
    await vi.advanceTimersByTimeAsync(15_000);
    expect(await pending).toMatchObject({
      sent: false,
      message: expect.stringMatching(/received no request: The function .* returned no options within 15000 ms$/),
    });
    expect(await exchange(refresh)).toMatchObject(REFRESHED);
    expect(discover).toHaveBeenCalledTimes(2);
  });

  it("ends with the exchange if that is aborted", async () => {
    const controller = new AbortController();
    const pending = failure(exchange(oauth2Refresh(never), controller.signal));
    controller.abort(new DOMException("late", "TimeoutError"));
    expect(await pending).toMatchObject({ sent: false, cause: { cause: { name: "TimeoutError" } } });
  });

  it("has its options used if they come later", async () => {
    const { options } = startServer();
    const { promise, open } = gate<void>();
    const discover = vi.fn(() => promise.then(() => options));
    const refresh = oauth2Refresh(discover);
    const pending = failure(exchange(refresh));
    await vi.advanceTimersByTimeAsync(15_000);
    await pending;
    open();
    await vi.advanceTimersByTimeAsync(0);
    expect(await exchange(refresh)).toMatchObject(REFRESHED);
    expect(discover).toHaveBeenCalledTimes(1);
  });

  it("leaves no error unhandled if it fails later", async () => {
    const { promise, open } = gate<void>();
    const refresh = oauth2Refresh(() => promise.then(() => Promise.reject(new Error("late"))));
    const pending = failure(exchange(refresh));
    await vi.advanceTimersByTimeAsync(15_000);
    await pending;
    open();
    await vi.advanceTimersByTimeAsync(0); // vitest fails on an unhandled rejection
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a manager over such options", () => {
  it("keeps the session if they cannot be obtained, and refreshes once they can be", async () => {
    const { options, requests } = startServer();
    const discover = vi.fn(async () => options);
    discover.mockRejectedValueOnce(new Error("no network"));
    const { clock, events, open, signIn } = startSession({
      refresh: oauth2Refresh(discover),
      provider: { afterLoss: "sign-in" },
    });
    await signIn(0);
    const manager = open();
    const refused = { code: "REFRESH_FAILED", message: expect.stringMatching(/received no request: no network\. Try/) };
    await expect(manager.getAccessToken()).rejects.toMatchObject(refused);
    expect(events).toContainEqual(expect.objectContaining({ type: "refresh-failed", code: "transient" }));
    await clock.advance(1_000);
    expect(await manager.getAccessToken()).toBe(canary("access", 2));
    expect(requests).toHaveLength(1);
  });

  it("uses their timeout from the second exchange on, with a lease that fits", async () => {
    const { options } = startServer({ timeout: 60_000 });
    const refresh = oauth2Refresh(async () => options);
    const { open, record, signIn } = startSession({ refresh });
    await signIn(0);
    expect(refresh.timeout).toBeUndefined();
    await open().refresh();
    expect(refresh.timeout).toBe(60_000);
    const leases: (number | undefined)[] = [];
    const watching = Object.assign(
      async (...parameters: Parameters<RefreshFunction>) => {
        leases.push((await record()).attempt?.lease);
        return refresh(...parameters);
      },
      { timeout: refresh.timeout },
    );
    await open({ refresh: watching }).refresh();
    expect(leases).toEqual([130_000]);
  });

  it("does not exceed the lease of its claim if the timeout becomes known during the exchange", async () => {
    const { open, clock, signIn, record } = startSession();
    await signIn(0);
    let timeout = 1_000;
    const refresh: RefreshFunction = Object.defineProperty(() => new Promise<never>(() => {}), "timeout", {
      get: () => timeout,
    });
    const manager = open({ refresh });
    manager.subscribe((event) => {
      if (event.type === "exchange-started") timeout = 600_000;
    });
    const pending = manager.getAccessToken().catch((error: unknown) => error);
    await settle();
    expect((await record()).attempt?.lease).toBe(12_000);
    await clock.advance(1_000);
    expect(await pending).toMatchObject({ code: "REFRESH_FAILED" });
  });

  it.each([
    { endpoint: "https://a.example/revoke", revoked: true, sent: ["https://a.example/revoke"] },
    { endpoint: undefined, revoked: false, sent: [] },
  ])("revokes the tokens on signing out, if they tell an endpoint: $endpoint", async ({ endpoint, revoked, sent }) => {
    const { options, requests } = startServer({ revocationEndpoint: endpoint });
    await using manager = createTokenManager({ refresh: oauth2Refresh(async () => options) });
    const events: string[] = [];
    manager.subscribe(({ type }) => events.push(type));
    await manager.signIn(tokens);
    expect(await manager.signOut()).toEqual({ revoked });
    expect(requests).toEqual(sent);
    expect(events).not.toContain("revocation-failed");
  });

  it("reports that they could not be obtained for a revocation", async () => {
    const discover = () => Promise.reject(new Error("no network"));
    await using manager = createTokenManager({ refresh: oauth2Refresh(discover) });
    const events: unknown[] = [];
    manager.subscribe((event) => events.push(event));
    await manager.signIn(tokens);
    expect(await manager.signOut()).toEqual({ revoked: false });
    const message = expect.stringContaining("The revocation endpoint received no request: no network.");
    expect(events).toContainEqual({ type: "revocation-failed", message });
  });
});
