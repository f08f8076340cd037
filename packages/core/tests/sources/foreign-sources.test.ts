import { canary } from "@unexpired-internal/test-support/canary";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  createFetch,
  createTokenManager,
  envToken,
  firstAvailable,
  onToken,
  staticToken,
  type TokenSource,
  withToken,
} from "../../src/index.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const MINUTE = 60_000;
const token = canary("access", 1);
const API = "https://api.example";

/** A source by hand, one of whose methods never settles. */
const hanging = (
  method?: "getTokenSet" | "replaceRejected",
  wait = () => new Promise<never>(() => {}),
): TokenSource => ({
  getTokenSet: async () => ({ accessToken: token, tokenType: "Bearer", extra: {} }),
  replaceRejected: async () => canary("access", 2),
  ...(method && { [method]: wait }),
});

const calls: [string, (source: TokenSource, signal?: AbortSignal) => Promise<unknown>][] = [
  [
    "createFetch",
    (source, signal) => {
      const fetch = async () => new Response(null, { status: 401 });
      return createFetch(source, { origins: [API], fetch })(API, { signal: signal ?? null });
    },
  ],
  ["withToken", (source, signal) => withToken(source, () => Promise.reject({ status: 401 }), { signal })],
  [
    "firstAvailable",
    async (source, signal) => {
      const tokens = firstAvailable(source);
      return tokens.replaceRejected(await tokens.getAccessToken({ signal }), { signal });
    },
  ],
];

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.fail("did not reject"),
    (error: unknown) => error,
  );

describe.each(calls)("%s", (_name, call) => {
  const methods = ["getTokenSet", "replaceRejected"] as const;

  it.each(methods)("ends the wait for %s of a foreign source after five minutes (P15)", async (method) => {
    const late = failure(call(hanging(method)));
    await vi.advanceTimersByTimeAsync(5 * MINUTE);
    expect(await late).toMatchObject({
      name: "TimeoutError",
      message: expect.stringMatching(/^The token source did not/),
    });
  });

  it.each(methods)("ends the wait for %s of a foreign source if the signal aborts", async (method) => {
    const controller = new AbortController();
    const aborted = failure(call(hanging(method), controller.signal));
    await vi.advanceTimersByTimeAsync(1);
    controller.abort(new Error("stop"));
    expect(await aborted).toMatchObject({ message: "stop" });
  });
});

it("gives a token manager, whose waits have bounds of their own, all the time that it needs", async () => {
  const refresh = () => new Promise<never>(() => {});
  const manager = createTokenManager({ refresh: Object.assign(refresh, { timeout: 20 * MINUTE }) });
  await manager.signIn({ refreshToken: canary("refresh", 1) });
  const onSettled = vi.fn();
  const waiting = withToken(firstAvailable(envToken("UNSET", { env: {} }), manager), () => "").catch(onSettled);
  await vi.advanceTimersByTimeAsync(19 * MINUTE);
  expect(onSettled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
  await waiting;
  expect(onSettled.mock.lastCall).toMatchObject([{ code: "REFRESH_FAILED" }]);
});

it("onToken tries a source again that does not respond", async () => {
  let reads = 0;
  const source = hanging("getTokenSet", () => {
    reads++;
    return new Promise<never>(() => {});
  });
  const end = onToken(source, () => {}, { keepFresh: true });
  await vi.advanceTimersByTimeAsync(7 * MINUTE);
  end();
  expect(reads).toBe(2);
});

it("shows no mark on the sources that this package creates", () => {
  expect(Reflect.ownKeys({ ...staticToken(token) })).toEqual(Object.keys(staticToken(token)));
});
