import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  envToken,
  isAuthError,
  RefreshFailedError,
  SignInRequiredError,
  TokenEndpointError,
  type TokenSource,
  withToken,
} from "../../src/index.ts";
import { startSession } from "../support/session.ts";

const first = canary("access", 1);
const second = canary("access", 2);

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

/** A connection that accepts some tokens, and fails with `error` for others. */
const accepting =
  (error: unknown, ...accepted: readonly string[]) =>
  async (accessToken: string) => {
    if (accepted.includes(accessToken)) return `connected with ${accessToken}`;
    throw error;
  };

const rejected = Object.assign(new Error("closed"), { code: 4001 });
const isRejected = (error: unknown) => Object(error).code === 4001;

describe("withToken", () => {
  it("returns the result of a single run if the token is accepted", async () => {
    const { issuer, signIn } = startSession();
    const run = vi.fn(accepting(rejected, first));
    expect(await withToken(await signIn(), run, { isRejected })).toBe(`connected with ${first}`);
    expect(run.mock.calls).toEqual([[first]]);
    expect(issuer.presented).toEqual([]);
  });

  it("runs once more, with a newer token, if the first was rejected", async () => {
    const { issuer, signIn } = startSession();
    const run = vi.fn(accepting(rejected, second));
    expect(await withToken(await signIn(), run, { isRejected: async (error) => isRejected(error) })).toBe(
      `connected with ${second}`,
    );
    expect(run.mock.calls).toEqual([[first], [second]]);
    expect(issuer.presented).toHaveLength(1);
  });

  it("runs twice at most, and passes the second error on", async () => {
    const { signIn } = startSession();
    const errors = [rejected, { ...rejected, second: true }];
    const run = vi.fn((_: string): string => {
      throw errors[run.mock.calls.length - 1];
    });
    expect(await failure(withToken(await signIn(), run, { isRejected }))).toBe(errors[1]);
    expect(run).toHaveBeenCalledTimes(2);
  });

  it.each([new Error("other"), "a string", undefined, { code: 401, message: "decided otherwise" }])(
    "passes on an error that is no rejection, unchanged: %s",
    async (error) => {
      const { issuer, signIn } = startSession();
      expect(await failure(withToken(await signIn(), accepting(error), { isRejected }))).toBe(error);
      expect(issuer.presented).toEqual([]);
    },
  );

  it.each([
    ["a status", Object.assign(new Error("no"), { status: 401 })],
    ["a response", Object.assign(new Error("no"), { response: { status: 401, headers: { "X-Y": ["z"] } } })],
    ["a cause", new Error("wrapped", { cause: { statusCode: 401 } })],
    ["a code of GraphQL", { response: { status: 200, errors: [{ extensions: { code: "UNAUTHENTICATED" } }] } }],
  ])("recognizes a 401 by itself: %s", async (_name, error) => {
    const { signIn } = startSession();
    expect(await withToken(await signIn(), accepting(error, second))).toBe(`connected with ${second}`);
  });

  it.each([
    ["a 403", { status: 403 }],
    ["an error of the library", new SignInRequiredError("no_session")],
    ["an error that the library caused", { status: 401, cause: new RefreshFailedError(0) }],
    ["a token endpoint's 401", new TokenEndpointError({ status: 401, sent: true })],
    ["no status", new Error("401")],
  ])("does not take %s for a rejection by itself", async (_name, error) => {
    const { issuer, signIn } = startSession();
    expect(await failure(withToken(await signIn(), accepting(error, second)))).toBe(error);
    expect(issuer.presented).toEqual([]);
  });

  it("returns a result as it is, whatever it says", async () => {
    const { issuer, signIn } = startSession();
    const result = { status: 401 };
    expect(await withToken(await signIn(), () => result)).toBe(result);
    expect(issuer.presented).toEqual([]);
  });

  it("passes the first error on if the token was obtained a moment ago", async () => {
    const { signIn } = startSession();
    const manager = await signIn();
    await manager.refresh();
    expect(await failure(withToken(manager, accepting(rejected), { isRejected }))).toBe(rejected);
  });

  it("rejects with the source's error if there is no token, or no other one", async () => {
    const { open } = startSession();
    const run = vi.fn(accepting(rejected));
    expect(await failure(withToken(open(), run))).toMatchObject({ reason: "no_session" });
    expect(run).not.toHaveBeenCalled();
    const env = envToken("APP_TOKEN", { env: { APP_TOKEN: first } });
    expect(await failure(withToken(env, run, { isRejected }))).toMatchObject({
      message: expect.stringMatching(/APP_TOKEN/),
    });
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("tells the source what the response said, and takes the statuses that it names for rejections", async () => {
    const replaceRejected = vi.fn<TokenSource["replaceRejected"]>(async () => second);
    const source = {
      getTokenSet: async () => ({ accessToken: first, tokenType: "Bearer", extra: {} }),
      replaceRejected,
      isRejection: (status: number) => status === 429,
    };
    const limited = { status: 429, headers: new Headers({ "retry-after": "7" }) };
    for (const error of [limited, { response: limited }, { meta: { response: limited } }]) {
      expect(await withToken(source, accepting(error, second))).toBe(`connected with ${second}`);
      const { response } = replaceRejected.mock.lastCall?.[1] ?? {};
      expect([response?.status, response?.headers?.get("Retry-After"), response?.headers?.get("x")]).toEqual([
        429,
        "7",
        null,
      ]);
    }
    expect(await failure(withToken(source, accepting({ status: 401 })))).toEqual({ status: 401 });
    await withToken(source, accepting(rejected, second), { isRejected });
    expect(replaceRejected.mock.lastCall?.[1]?.response).toBeUndefined();
  });

  it("passes on a 401 about the rights of the token, unless isRejected decides", async () => {
    const { issuer, signIn } = startSession();
    const manager = await signIn();
    const headers = { "WWW-Authenticate": 'Bearer error="insufficient_scope"' };
    for (const error of [{ status: 401, headers }, { response: { status: 401, headers: new Headers(headers) } }])
      expect(await failure(withToken(manager, accepting(error, second)))).toBe(error);
    expect(issuer.presented).toEqual([]);
    const run = accepting({ status: 401, headers }, second);
    expect(await withToken(manager, run, { isRejected: () => true })).toBe(`connected with ${second}`);
  });

  it.each<[string, () => boolean | Promise<boolean>]>([
    [
      "throws",
      () => {
        throw new Error("broken");
      },
    ],
    ["rejects", () => Promise.reject(new Error("broken"))],
  ])("keeps the error of the run if isRejected %s", async (_name, isBroken) => {
    const { signIn } = startSession();
    const error = Object.assign(new Error("no"), { status: 401 });
    const failed = await failure(withToken(await signIn(), accepting(error), { isRejected: isBroken }));
    expect(failed).toMatchObject({
      message: "isRejected failed for an error of run, which is `suppressed`.",
      cause: { message: "broken" },
    });
    expect(Object(failed).suppressed).toBe(error);
    expect(isAuthError(failed)).toBe(true);
  });

  it("gives isRejected 30 seconds (P15)", async () => {
    const { signIn } = startSession();
    const manager = await signIn();
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const call = failure(withToken(manager, accepting(rejected), { isRejected: () => new Promise(() => {}) }));
    await vi.advanceTimersByTimeAsync(30_000);
    expect(await call).toMatchObject({
      cause: { name: "TimeoutError", message: expect.stringMatching(/^isRejected did not settle within 30 seconds\./) },
      suppressed: rejected,
    });
  });

  it("does not run if the signal has aborted, nor a second time if it aborts during the first", async () => {
    const { signIn } = startSession();
    const manager = await signIn();
    const controller = new AbortController();
    const { signal } = controller;
    const run = vi.fn(async () => {
      controller.abort("stop");
      throw rejected;
    });
    expect(await failure(withToken(manager, run, { isRejected, signal }))).toBe("stop");
    expect(run).toHaveBeenCalledTimes(1);
    expect(await failure(withToken(manager, run, { isRejected, signal }))).toBe("stop");
    expect(run).toHaveBeenCalledTimes(1);
    expect(await withToken(manager, () => "ran", { signal: null })).toBe("ran");
  });

  it.each(["getTokenSet", "replaceRejected"] as const)(
    "ends the wait for %s of a source that ignores the signal",
    async (method) => {
      const source = {
        getTokenSet: async () => ({ accessToken: first, tokenType: "Bearer", extra: {} }),
        replaceRejected: async () => second,
        [method]: () => new Promise<never>(() => {}),
      };
      const controller = new AbortController();
      const call = withToken(source, accepting(rejected), { isRejected, signal: controller.signal });
      setImmediate(() => controller.abort("stop"));
      expect(await failure(call)).toBe("stop");
    },
  );

  it("throws a TypeError for invalid arguments and options", async () => {
    const { open } = startSession();
    const run = async () => "";
    const cases: [Parameters<typeof withToken>, RegExp][] = [
      [[first as never, run], /^tokens: expected a token manager or another TokenSource, not a string\.$/],
      [[open(), first as never], /^run: expected a function, not a string\.$/],
      [[open(), run, { isRejected: true as never }], /^isRejected: expected a function/],
      [[open(), run, { signal: {} as never }], /^signal: expected an AbortSignal, not another object\.$/],
      [[open(), run, { retries: 2 } as never], /^withToken: unknown option "retries"/],
    ];
    for (const [given, message] of cases) {
      const error = await failure(withToken(...given));
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toMatch(message);
    }
  });
});
