import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import {
  createFetch,
  createTokenManager,
  type FetchOptions,
  isAuthError,
  perRequest,
  type RefreshFunction,
  TokenEndpointError,
} from "../../src/index.ts";
import { Issuer } from "../support/issuer.ts";
import { type Handler, respondWith, startServer } from "../support/server.ts";

const ok = respondWith(200, "fine");
const rejected = respondWith(401, "real", { "www-authenticate": 'Bearer error="invalid_token"' });
const bearer = (number: number) => `Bearer ${canary("access", number)}`;

interface Setup {
  readonly options?: Partial<FetchOptions>;
  readonly refresh?: RefreshFunction;
  readonly signedIn?: boolean;
}

/** A server that plays a script, and a `fetch` with the tokens of a session. */
async function start(script: readonly Handler[], { options, refresh, signedIn = true }: Setup = {}) {
  const issuer = new Issuer();
  const server = await startServer(...script);
  const manager = createTokenManager({ refresh: refresh ?? issuer.refresh });
  if (signedIn) await manager.signIn({ ...issuer.tokens(), expiresAt: Date.now() + 3_600_000 });
  const fetchWithTokens = createFetch(manager, { origins: [server.origin], ...options });
  const dispose = async () => {
    await manager.close();
    await server.close();
  };
  const authorizations = () => server.received.map(({ headers }) => headers.authorization);
  return { ...server, manager, fetchWithTokens, authorizations, [Symbol.asyncDispose]: dispose };
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

const invalidGrant: RefreshFunction = async () => {
  throw new TokenEndpointError({ error: "invalid_grant", status: 400, sent: true });
};

describe("the option whenSignedOut of createFetch", () => {
  it('rejects by default, and with "throw"', async () => {
    await using byDefault = await start([ok], { signedIn: false });
    await using api = await start([ok], { signedIn: false, options: { whenSignedOut: "throw" } });
    for (const { fetchWithTokens, origin } of [byDefault, api])
      expect(await failure(fetchWithTokens(origin))).toMatchObject({ code: "SIGN_IN_REQUIRED" });
    expect(api.received).toEqual([]);
  });

  it('sends the request without a token with "send", and returns the real 401', async () => {
    await using api = await start([rejected], { signedIn: false, options: { whenSignedOut: "send" } });
    const response = await api.fetchWithTokens(api.origin, { method: "POST", body: "x" });
    expect([response.status, await response.text()]).toEqual([401, "real"]);
    expect(isAuthError(response)).toBe(true);
    expect(api.authorizations()).toEqual([undefined]);
    expect(api.received[0]).toMatchObject({ method: "POST", body: "x" });
  });

  it('returns the 401 that ends the session with "send", with its body', async () => {
    await using api = await start([rejected], { refresh: invalidGrant, options: { whenSignedOut: "send" } });
    const response = await api.fetchWithTokens(api.origin);
    expect([response.status, await response.text()]).toEqual([401, "real"]);
    expect(api.authorizations()).toEqual([bearer(1)]);
  });

  it('attaches the token again after a sign-in with "send"', async () => {
    await using api = await start([ok], { signedIn: false, options: { whenSignedOut: "send" } });
    await api.fetchWithTokens(api.origin);
    await api.manager.signIn({ accessToken: canary("access", 1) });
    await api.fetchWithTokens(api.origin);
    expect(api.authorizations()).toEqual([undefined, bearer(1)]);
  });

  it('still rejects with "send" if the token endpoint is down, or the caller aborts', async () => {
    const down: RefreshFunction = async () => {
      throw new TokenEndpointError({ status: 503, sent: true });
    };
    await using api = await start([rejected], { refresh: down, options: { whenSignedOut: "send" } });
    expect(await failure(api.fetchWithTokens(api.origin))).toMatchObject({ code: "REFRESH_FAILED" });
    await api.manager.signIn({ accessToken: "expired", refreshToken: "r", expiresAt: 0 });
    expect(await failure(api.fetchWithTokens(api.origin))).toMatchObject({ code: "REFRESH_FAILED" });
    expect(api.authorizations()).toEqual([bearer(1)]);
    const aborted = { signal: AbortSignal.abort() };
    expect(await failure(api.fetchWithTokens(api.origin, aborted))).toMatchObject({ name: "AbortError" });
  });

  it("throws a TypeError for another value", () => {
    const options = { origins: [], whenSignedOut: "ignore" as never };
    expect(() => createFetch(createTokenManager(), options)).toThrow(
      'whenSignedOut: expected "throw" or "send", not a string.',
    );
  });
});

describe("the option placeholder of createFetch", () => {
  const options = { placeholder: "unused" };

  it.each([
    ["in headers", "Bearer unused"],
    ["in other case", "bearer  unused"],
    ["with another scheme", "token unused"],
    ["without a scheme", "unused"],
  ])("treats the placeholder as no header of the caller's own: %s", async (_name, authorization) => {
    await using api = await start([rejected, ok], { options });
    await api.fetchWithTokens(api.origin, { headers: { authorization } });
    await api.fetchWithTokens(new Request(api.origin, { headers: { authorization, "x-own": "1" } }));
    expect(api.authorizations()).toEqual([bearer(1), bearer(2), bearer(2)]);
    expect(api.received[2]?.headers["x-own"]).toBe("1");
  });

  it.each(["Bearer unused2", "Bearer  other unused", "Basic dW51c2Vk"])(
    "keeps a header of the caller's own: %s",
    async (authorization) => {
      await using api = await start([rejected], { options });
      await api.fetchWithTokens(api.origin, { headers: { authorization } });
      expect(api.authorizations()).toEqual([authorization]);
    },
  );

  it("keeps the header without the option", async () => {
    await using api = await start([ok]);
    await api.fetchWithTokens(api.origin, { headers: { authorization: "Bearer unused" } });
    expect(api.authorizations()).toEqual(["Bearer unused"]);
  });

  it("removes the placeholder from a request that goes without the token, and nothing else", async () => {
    const headers = { authorization: "Bearer unused", "x-own": "1" };
    await using other = await startServer(ok);
    await using api = await start([ok], { signedIn: false, options: { ...options, whenSignedOut: "send" } });
    const calls: [string | Request, RequestInit?][] = [
      [api.origin, { headers }],
      [api.origin, { headers, ...perRequest({ tokens: false }) }],
      [other.origin, { headers }],
      [new Request(other.origin, { headers })],
    ];
    for (const call of calls) await api.fetchWithTokens(...call);
    const received = [...api.received, ...other.received];
    expect(received.map((each) => [each.headers.authorization, each.headers["x-own"]])).toEqual(
      calls.map(() => [undefined, "1"]),
    );
    expect(headers.authorization).toBe("Bearer unused");
  });

  it("throws a TypeError for another value, which it does not show", () => {
    for (const placeholder of ["", 7]) {
      const create = () => createFetch(createTokenManager(), { origins: [], placeholder: placeholder as string });
      expect(create).toThrow(/^placeholder: expected a non-empty string, not /);
    }
  });
});
