import { canary } from "@unexpired-internal/test-support/canary";
import { VirtualClock } from "@unexpired-internal/test-support/virtual-clock";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DeviceFlowOptions, type DevicePrompt, deviceFlow } from "../../src/flows.ts";
import { tokenOriginOf } from "../../src/tokens/token-origin.ts";
import type { TokenSetInput } from "../../src/types.ts";
import { AS_METADATA, failureOf, formsTo, metadata, silent, startRoutes, timeoutFor } from "../support/flows.ts";
import { idTokenOf } from "../support/id-token.ts";
import { printed } from "../support/leaks.ts";
import { drop, type Handler, respondWith } from "../support/server.ts";

const CODE = "/device_authorization";
const SECRET = canary("refresh", "device-code-1");
const code = {
  device_code: SECRET,
  user_code: "ABCD-EFGH",
  verification_uri: "https://as.example/device",
  verification_uri_complete: "https://as.example/device?user_code=ABCD-EFGH",
  expires_in: 600,
  interval: 5,
};
const tokens = {
  access_token: canary("access", 1),
  refresh_token: canary("refresh", 1),
  token_type: "Bearer",
  expires_in: 3600,
  team: { id: 7 },
};
const says = (error: string, status = 400, more: object = {}) => respondWith(status, { error, ...more });
const pending = says("authorization_pending");
const granted = respondWith(200, tokens);

let clock: VirtualClock;
let controller: AbortController;
let cleanups: (() => Promise<void>)[];

beforeEach(() => {
  clock = new VirtualClock();
  controller = new AbortController();
  cleanups = [];
});
afterEach(async () => {
  for (const cleanup of cleanups) await cleanup();
});

interface Setup {
  readonly device?: Handler;
  readonly token?: readonly Handler[];
  readonly options?: Partial<DeviceFlowOptions>;
  readonly server?: Readonly<Record<string, unknown>>;
}

/** Starts a flow at a server that plays these responses, and waits until the prompt is shown, or the flow has ended. */
async function start({ device = respondWith(200, code), token = [granted], options, server: changes }: Setup = {}) {
  const polls = { count: 0, waiting: [] as (() => void)[] };
  const counted = token.map<Handler>((handler) => (response, received) => {
    response.once("close", () => {
      polls.count++;
      for (const wake of polls.waiting.splice(0)) wake();
    });
    handler(response, received);
  });
  const server = await startRoutes({ [AS_METADATA]: metadata(changes), [CODE]: device, "/token": counted });
  cleanups.push(server.close);
  const prompts: DevicePrompt[] = [];
  const prompted = deferred();
  const flow = deviceFlow({
    issuer: server.origin,
    clientId: "tv",
    clock,
    onPrompt(prompt) {
      prompts.push(prompt);
      prompted.resolve();
    },
    ...options,
  });
  const result = flow({ signal: controller.signal });
  result.catch(() => {});
  const ended = result.then(
    () => {},
    () => {},
  );
  await Promise.race([prompted.promise, ended]);
  /** Passes time, and waits until the requests that it causes have been handled. */
  const advance = async (milliseconds: number): Promise<number> => {
    const before = polls.count;
    const next = new Promise<void>((resolve) => polls.waiting.push(resolve));
    await clock.advance(milliseconds);
    if (clock.keepingAlive === 0) await next; // a request is in flight
    while (clock.keepingAlive === 0 && !(await Promise.race([ended.then(() => true), tick()])));
    return polls.count - before;
  };
  return { server, result, prompts, advance };
}

const deferred = () => {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
};

const tick = () => new Promise<false>((resolve) => setImmediate(resolve, false));

describe("the device flow", () => {
  it("shows the prompt, and resolves to the tokens", async () => {
    const options = { scope: "read write", resource: "https://api.example/" };
    const { server, result, prompts, advance } = await start({ token: [pending, granted], options });
    const { expires_in: _, ...shown } = code;
    expect(prompts).toEqual([
      {
        userCode: shown.user_code,
        verificationUri: shown.verification_uri,
        verificationUriComplete: shown.verification_uri_complete,
        expiresAt: clock.now() + 600_000,
      },
    ]);
    await advance(5_000);
    const sentAt = clock.now() + 5_000;
    await advance(5_000);
    const signedIn = await result;
    expect({ ...signedIn }).toEqual({
      accessToken: tokens.access_token,
      refreshToken: tokens.refresh_token,
      expiresAt: sentAt + 3_600_000,
      refreshTokenExpiresAt: undefined,
      tokenType: "Bearer",
      scope: undefined,
      idToken: undefined,
      extra: { team: { id: 7 } },
    });
    expect(printed(signedIn)).not.toContain("canary");
    expect(tokenOriginOf(signedIn)).toBe(server.origin);
    const resource = options.resource;
    expect(formsTo(server.received, CODE)).toEqual([{ client_id: "tv", scope: "read write", resource }]);
    const grant_type = "urn:ietf:params:oauth:grant-type:device_code";
    const poll = { grant_type, device_code: SECRET, client_id: "tv", resource };
    expect(formsTo(server.received, "/token")).toEqual([poll, poll]);
  });

  it("keeps the interval, which each slow_down makes longer for good", async () => {
    const token = [pending, says("slow_down"), pending, says("slow_down"), granted];
    const { advance, result } = await start({ device: respondWith(200, { ...code, interval: 2 }), token });
    expect(await advance(1_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    expect(await advance(2_000)).toBe(1);
    expect(await advance(6_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    expect(await advance(7_000)).toBe(1);
    expect(await advance(11_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    await result;
  });

  it.each<[string, Handler]>([
    ["no response", silent],
    ["a reset connection", drop],
    ["a failing server", respondWith(502, "<html>")],
  ])("asks less often, but on, after %s", async (_name, failing) => {
    const token = [failing, failing, pending, granted];
    const { advance, result } = await start({ token, options: timeoutFor(failing) });
    expect(await advance(5_000)).toBe(1);
    expect(await advance(9_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    expect(await advance(19_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    expect(await advance(4_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    await result;
  });

  it("waits as long as Retry-After says", async () => {
    const token = [respondWith(429, {}, { "retry-after": "90" }), granted];
    const { advance, result } = await start({ token });
    expect(await advance(5_000)).toBe(1);
    expect(await advance(89_999)).toBe(0);
    expect(await advance(1)).toBe(1);
    await result;
  });

  it.each<[string, object, number]>([
    ["5 s", { interval: undefined }, 5_000],
    ["5 s if it is not positive", { interval: 0 }, 5_000],
    ["a string", { interval: "3" }, 3_000],
  ])("assumes an interval of %s", async (_name, changes, expected) => {
    const { advance, result } = await start({ device: respondWith(200, { ...code, ...changes }) });
    expect(await advance(expected - 1)).toBe(0);
    expect(await advance(1)).toBe(1);
    await result;
  });

  it("accepts Google's verification_url, and errors with status 200, as GitHub sends them", async () => {
    const { verification_uri: verification_url, verification_uri_complete: _, ...rest } = code;
    const { advance, prompts, result } = await start({
      device: respondWith(200, { ...rest, verification_url }),
      token: [says("authorization_pending", 200), granted],
    });
    await advance(5_000);
    await advance(5_000);
    await result;
    expect(prompts).toMatchObject([{ verificationUri: verification_url }]);
    expect(prompts[0]).not.toHaveProperty("verificationUriComplete");
  });

  it("ends at the first response after the code has expired", async () => {
    const { advance, result } = await start({
      device: respondWith(200, { ...code, expires_in: 12 }),
      token: [pending],
    });
    await advance(5_000);
    await advance(5_000);
    expect(await advance(5_000)).toBe(1);
    expect(await failureOf(result)).toMatchObject({ code: "SIGN_IN_FAILED", reason: "expired" });
  });

  it.each<[string, Handler, object]>([
    ["the user refuses", says("access_denied"), { code: "SIGN_IN_FAILED", reason: "refused" }],
    ["the code has expired", says("expired_token"), { code: "SIGN_IN_FAILED", reason: "expired" }],
    ["the code is unknown", says("invalid_grant"), { code: "SIGN_IN_FAILED", reason: "rejected" }],
    ["the response has no tokens", respondWith(200, {}), { code: "SIGN_IN_FAILED", reason: "rejected" }],
    ["the client is wrong", says("invalid_client", 401), { code: "CONFIGURATION", cause: { status: 401 } }],
    ["the client may not do this", says("unauthorized_client"), { code: "CONFIGURATION" }],
    ["the endpoint is elsewhere", respondWith(307, "", { location: "/other" }), { code: "CONFIGURATION" }],
    ["there is no access token", respondWith(200, { refresh_token: canary("refresh", 2) }), { code: "CONFIGURATION" }],
    [
      "the ID token is not one",
      respondWith(200, { ...tokens, id_token: canary("id", 1) }),
      { code: "SIGN_IN_FAILED", reason: "rejected" },
    ],
    [
      "the ID token is another client's",
      respondWith(200, { ...tokens, id_token: idTokenOf({ iss: "https://evil.example" }) }),
      { code: "SIGN_IN_FAILED", reason: "mismatched" },
    ],
  ])("rejects if %s", async (_name, handler, expected) => {
    const { advance, result } = await start({ token: [handler] });
    await advance(5_000);
    expect(await failureOf(result)).toMatchObject(expected);
    expect(clock.keepingAlive).toBe(0);
  });

  it("shows what the server said, without the code, the secret and the tokens", async () => {
    const error_description = `code ${SECRET} of ${canary("access", "client-secret")}`;
    const { advance, result } = await start({
      token: [says("invalid_grant", 400, { error_description })],
      options: { clientAuth: { method: "client_secret_post", clientSecret: canary("access", "client-secret") } },
    });
    await advance(5_000);
    expect((await failureOf(result)).message).toContain("invalid_grant, code [secret] of [secret]. ");
  });

  it.each<[string, Handler, object]>([
    ["the client is wrong", says("invalid_client", 401), { code: "CONFIGURATION" }],
    ["the server is down", respondWith(503), { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["the connection breaks", drop, { code: "SIGN_IN_FAILED", reason: "unreachable" }],
    ["there is no code", respondWith(200, {}), { code: "SIGN_IN_FAILED", reason: "rejected" }],
    [
      "the page is of another scheme",
      respondWith(200, { ...code, verification_uri: "file:///etc/passwd" }),
      { code: "SIGN_IN_FAILED", reason: "rejected" },
    ],
  ])("rejects before the prompt if %s", async (_name, device, expected) => {
    const { prompts, result, server } = await start({ device });
    const error = await failureOf(result);
    expect(error).toMatchObject(expected);
    expect(error.message).toContain(`device authorization endpoint ${server.origin}${CODE} `);
    expect(prompts).toEqual([]);
  });

  it("reports a server without such an endpoint", async () => {
    const { result } = await start({ server: { device_authorization_endpoint: undefined } });
    const error = await failureOf(result);
    expect(error).toMatchObject({ code: "CONFIGURATION" });
    expect(error.message).toContain("has no device authorization endpoint");
  });

  it("sends nothing more once it is aborted, and rejects with the signal's reason", async () => {
    const { result, server } = await start({ token: [pending] });
    controller.abort("over");
    await expect(result).rejects.toBe("over");
    expect(clock.keepingAlive).toBe(0);
    expect(formsTo(server.received, "/token")).toEqual([]);
  });

  it("aborts during a request", async () => {
    const { result } = await start({ token: [() => controller.abort("over")] });
    await clock.advance(5_000);
    await expect(result).rejects.toBe("over");
  });

  it("sends nothing with a signal that has aborted", async () => {
    controller.abort("over");
    const { result, server } = await start();
    await expect(result).rejects.toBe("over");
    expect(server.received).toEqual([]);
  });

  it.each<[string, () => void | Promise<void>]>([
    ["throws", () => throwing()],
    ["rejects", async () => throwing()],
  ])("rejects and ends if the prompt %s", async (_name, onPrompt) => {
    const { result } = await start({ options: { onPrompt } });
    await expect(result).rejects.toThrow("no terminal");
    expect(clock.keepingAlive).toBe(0);
  });

  it("does not wait for a prompt that never settles", async () => {
    const shown = deferred();
    const onPrompt = () => {
      shown.resolve();
      return new Promise<void>(() => {});
    };
    const started = start({ options: { onPrompt } });
    await shown.promise;
    await clock.advance(5_000);
    const { result } = await started;
    expect((await result) as TokenSetInput).toMatchObject({ tokenType: "Bearer" });
  });

  it.each<[string, Partial<DeviceFlowOptions>, string]>([
    ["no client ID", { clientId: "" }, "clientId: expected"],
    ["no prompt", { onPrompt: undefined as never }, "onPrompt: expected a function"],
    ["another issuer", { issuer: {} as never }, "issuer: expected"],
  ])("refuses an option: %s", (_name, options, message) => {
    const given = { issuer: "https://as.example", clientId: "tv", onPrompt: () => {}, ...options };
    expect(() => deviceFlow(given)).toThrow(message);
  });

  it("takes a server without metadata", async () => {
    const { origin } = await startAt({ [CODE]: respondWith(200, code), "/token": granted });
    const issuer = {
      issuer: "https://as.example",
      tokenEndpoint: `${origin}/token`,
      deviceAuthorizationEndpoint: `${origin}${CODE}`,
      metadata: {},
    };
    const flow = deviceFlow({ issuer, clientId: "tv", clock, onPrompt: () => void clock.advance(5_000) });
    expect(await flow({ signal: controller.signal })).toMatchObject({ tokenType: "Bearer" });
  });
});

const startAt = async (routes: Parameters<typeof startRoutes>[0]) => {
  const server = await startRoutes(routes);
  cleanups.push(server.close);
  return server;
};

function throwing(): never {
  throw new Error("no terminal");
}
