import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import got, { type ExtendOptions, type Got, type HTTPError, type OptionsInit, type RequestError } from "got";
import { expect, expectTypeOf, test } from "vitest";
import { bearer, bearers, inWorld, printed, rejection, type World } from "../../../tests/support/adapter-scenarios.ts";
import { accepting, UNAUTHORIZED } from "../../../tests/support/api-server.ts";
import { CANARY, canary } from "../../../tests/support/canary.ts";
import { withTokens } from "../src/index.ts";
import { gotHarness } from "./harness.ts";

const gotTest = (name: string, run: (world: World, make: (options?: ExtendOptions) => Got) => Promise<void>) =>
  test(
    name,
    inWorld(gotHarness, ({ session, api, ...world }) =>
      run({ session, api, ...world }, (options = {}) =>
        got.extend({ retry: { limit: 0 } }, options, withTokens(session.tokens, { origins: [api.origin] })),
      ),
    ),
  );

gotTest("origins are needed", async ({ session: { tokens } }) => {
  // @ts-expect-error: that is what is tested
  expect(() => withTokens(tokens)).toThrow(TypeError);
  // @ts-expect-error: that is what is tested
  expect(() => withTokens(tokens, {})).toThrow(/^origins: .*undefined/);
  expect(() => withTokens(tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

gotTest(
  "with throwHttpErrors: false a 401 is repeated all the same, and a second one handed out",
  async ({ api }, make) => {
    const client = make({ throwHttpErrors: false });
    api.respond = accepting(canary("access", 2));
    expect((await client(api.origin)).statusCode).toBe(200);
    api.respond = () => UNAUTHORIZED;
    expect((await client(api.origin)).statusCode).toBe(401);
    expect(bearers(api)).toEqual([bearer(1), bearer(2), bearer(2)]);
  },
);

gotTest("an instance keeps its types", async ({ api, session }) => {
  const client = got.extend(withTokens(session.tokens, { origins: [api.origin] }));
  const { statusCode, body } = await client(api.origin);
  expectTypeOf(statusCode).toBeNumber();
  expectTypeOf(body).toBeString();
});

gotTest("nothing is left on the instance", async ({ api }, make) => {
  const client = make();
  const before = inspect(client.defaults.options, { depth: 4 });
  api.respond = accepting(canary("access", 2));
  await client(api.origin);
  expect(inspect(client.defaults.options, { depth: 4 })).toBe(before);
});

gotTest(
  "hooks of others see the answer that the caller gets, whether they come before or after",
  async ({ api }, make) => {
    const seen: string[] = [];
    const watch = (name: string): ExtendOptions => ({
      hooks: {
        afterResponse: [
          (response) => {
            seen.push(`${name} ${response.statusCode}`);
            return response;
          },
        ],
      },
    });
    api.respond = accepting(canary("access", 2));
    await make(watch("before")).extend(watch("after"))(api.origin);
    expect(seen).toEqual(["before 401", "before 200", "after 200"]);
  },
);

gotTest("a retry rule of the caller's is not asked about our one more", async ({ api }, make) => {
  const asked: unknown[] = [];
  const client = make({
    retry: {
      limit: 1,
      calculateDelay: ({ error, attemptCount, computedValue }) => {
        asked.push([error.response?.statusCode, attemptCount]);
        return computedValue && 1;
      },
    },
  });
  api.respond = ({ authorization }) => (authorization === bearer(1) ? UNAUTHORIZED : { status: 503 });
  await rejection(client(api.origin));
  expect(api.received.length).toBe(3);
  expect(asked).not.toContainEqual([401, 1]);
  expect(asked[0]).toEqual([503, 1]);
});

gotTest("a redirect that only changes the scheme goes without the token", async ({ session }) => {
  const [hook] = withTokens(session.tokens, { origins: ["https://api.example.com"] }).hooks?.beforeRequest ?? [];
  const request = { url: new URL("https://api.example.com/"), headers: {}, context: {} };
  const attach = (options: object) => hook?.(options as Parameters<typeof hook>[0], { retryCount: 0 });
  await attach(request);
  expect(request.headers).toEqual({ authorization: bearer(1) });
  const redirected = { ...request, url: new URL("http://api.example.com/"), headers: { ...request.headers } };
  await attach(redirected);
  expect(redirected.headers).toEqual({});
});

const form = new FormData();
form.set("a", "1");
const once: [string, OptionsInit["body"]][] = [
  ["generator", Readable.from(["x"]).iterator() as AsyncGenerator<string>],
  ["FormData", form],
  ["iterator", ["x"].values() as unknown as Generator<string>],
];
for (const [kind, body] of once) {
  gotTest(`a ${kind} is not sent twice`, async ({ api, session }, make) => {
    api.respond = () => UNAUTHORIZED;
    const error = (await rejection(make().post(api.origin, { body }))) as HTTPError;
    expect([error.name, error.response?.statusCode]).toEqual(["HTTPError", 401]);
    await expect.poll(() => session.exchanges).toBe(1);
    expect(api.received.length).toBe(1);
  });
}

gotTest("options that got refuses are its own error", async ({ api }, make) => {
  expect(await rejection(make()("no URL"))).toMatchObject({ code: "ERR_INVALID_URL" });
  const refused = { nonsense: 1 } as OptionsInit;
  expect(String(await rejection(make()(api.origin, refused)))).toContain("Unexpected option: nonsense");
});

gotTest("a stream gets the token; its 401 is the caller's", async ({ api, session }, make) => {
  expect(await make().stream(api.origin).toArray()).not.toEqual([]);
  api.respond = () => UNAUTHORIZED;
  const error = (await rejection(make().stream(api.origin).toArray())) as HTTPError;
  expect(error.response.statusCode).toBe(401);
  expect(bearers(api)).toEqual([bearer(1), bearer(1)]);
  expect(session.exchanges).toBe(0);
});

gotTest("no error holds the token, also where got does not ask its hooks", async ({ api }, make) => {
  const client = make();
  api.respond = () => ({ status: 500 });
  const failed = (await rejection(client(api.origin))) as RequestError;
  api.respond = () => delay(200, { status: 200 });
  const slow = (await rejection(client(api.origin, { timeout: { response: 20 } }))) as RequestError;
  const controller = new AbortController();
  api.respond = () => {
    controller.abort();
    return { status: 200 };
  };
  const aborted = (await rejection(client(api.origin, { signal: controller.signal }))) as RequestError;
  expect([failed, slow, aborted].map(({ name }) => name)).toEqual(["HTTPError", "TimeoutError", "AbortError"]);
  for (const error of [failed, slow, aborted]) {
    expect(error.options.headers.authorization).toBeUndefined();
    expect(printed(error)).not.toContain(CANARY);
  }
});
