import { type FetchError, type FetchOptions, ofetch } from "ofetch";
import { expect, test } from "vitest";
import { bearer, bearers, inWorld, rejection, type World } from "../../../tests/support/adapter-scenarios.ts";
import { accepting, type Reply, UNAUTHORIZED } from "../../../tests/support/api-server.ts";
import { canary } from "../../../tests/support/canary.ts";
import { withTokens } from "../src/index.ts";
import { ofetchHarness } from "./harness.ts";

const ofetchTest = (
  name: string,
  run: (world: World, make: (options?: FetchOptions) => typeof ofetch) => Promise<void>,
) =>
  test(
    name,
    inWorld(ofetchHarness, (world) =>
      run(world, (options) =>
        ofetch.create(withTokens(world.session.tokens, { baseURL: world.api.origin, ...options })),
      ),
    ),
  );

/** Answers one after the other; the last one stays. */
const inTurn =
  (...statuses: number[]) =>
  (_: unknown, index: number): Reply => ({ status: statuses[Math.min(index, statuses.length - 1)] ?? 0 });

ofetchTest("the origins default to that of baseURL", async ({ api, other }, make) => {
  const client = make();
  await client("/");
  await client("/", { baseURL: other.origin });
  expect([bearers(api), bearers(other)]).toEqual([[bearer(1)], [undefined]]);
});

ofetchTest("without origins, baseURL has to be absolute", async ({ session: { tokens } }) => {
  expect(() => withTokens(tokens)).toThrow(/^origins: needed, because baseURL is undefined/);
  expect(() => withTokens(tokens, { baseURL: "/api" })).toThrow(TypeError);
  expect(() => withTokens(tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

ofetchTest(
  "hooks of the caller's run in their order; those for responses do not see a 401 that is repeated",
  async ({ api }, make) => {
    const ran: unknown[] = [];
    const watch = (name: string) => (context: { response?: { status: number } }) => {
      ran.push(context.response ? `${name} ${context.response.status}` : name);
    };
    const client = make({
      onRequest: [watch("request 1"), watch("request 2")],
      onResponse: watch("response"),
      onResponseError: [watch("error 1"), watch("error 2")],
      onRequestError: watch("no answer"),
    });
    api.respond = accepting(canary("access", 2));
    await client("/");
    expect(ran.splice(0)).toEqual(["request 1", "request 2", "request 1", "request 2", "response 200"]);
    api.respond = () => ({ status: 404 });
    await rejection(client("/"));
    expect(ran.splice(0)).toEqual(["request 1", "request 2", "response 404", "error 1 404", "error 2 404"]);
    await rejection(client("http://127.0.0.1:1/", { retry: 0 }));
    expect(ran.splice(0)).toEqual(["request 1", "request 2", "no answer"]);
  },
);

ofetchTest("a hook sees the caller's own options in every try", async ({ api }, make) => {
  const seen: unknown[] = [];
  const own = { retry: 1, retryStatusCodes: [503], retryDelay: 7 };
  const client = make({
    ...own,
    onRequest: ({ options: { retry, retryStatusCodes, retryDelay } }) => {
      seen.push({ retry, retryStatusCodes, retryDelay });
    },
  });
  api.respond = inTurn(401, 503, 503);
  await rejection(client("/"));
  expect(seen).toEqual([own, own, { ...own, retry: 0 }]);
});

for (const retry of [undefined, false, 0] as const) {
  ofetchTest(
    `a POST with retry: ${retry} is repeated at once after a 401, and not after a 503`,
    async ({ api }, make) => {
      const client = make({
        method: "POST",
        body: { a: 1 },
        retryDelay: 60_000,
        ...(retry !== undefined && { retry }),
      });
      api.respond = inTurn(401, 503);
      const error = (await rejection(client("/"))) as FetchError;
      expect([error.status, api.received.length]).toEqual([503, 2]);
    },
  );
}

ofetchTest("a 401 after another failure is repeated, and only once", async ({ api, session }, make) => {
  api.respond = inTurn(503, 401, 503, 401, 200);
  const error = (await rejection(make({ retry: 2, retryDelay: 1 })("/"))) as FetchError;
  expect(error.status).toBe(401);
  expect([api.received.length, session.exchanges]).toEqual([4, 1]);
});

ofetchTest("the caller's own retries of a 401 stay", async ({ api }, make) => {
  api.respond = inTurn(401);
  await rejection(make({ retry: 2, retryStatusCodes: [401] })("/"));
  expect(bearers(api)).toEqual([bearer(1), bearer(2), bearer(2), bearer(2)]);
});

ofetchTest(
  "with ignoreResponseError a 401 is repeated all the same, and a second one handed out",
  async ({ api }, make) => {
    api.respond = () => UNAUTHORIZED;
    expect((await make({ ignoreResponseError: true }).raw("/")).status).toBe(401);
    expect(bearers(api)).toEqual([bearer(1), bearer(2)]);
  },
);

ofetchTest("a Request gets the token by its own URL, and is repeated", async ({ api, other }, make) => {
  api.respond = accepting(canary("access", 2));
  const client = make();
  for (const { origin } of [api, other]) await client(new Request(origin, { headers: { accept: "x" } }));
  expect([bearers(api), bearers(other)]).toEqual([[bearer(1), bearer(2)], [undefined]]);
});

ofetchTest("a Request with a body is not repeated", async ({ api }, make) => {
  api.respond = accepting(canary("access", 2));
  const error = (await rejection(make()(new Request(api.origin, { method: "POST", body: "x" })))) as FetchError;
  expect([error.status, api.received.length]).toEqual([401, 1]);
});

ofetchTest(
  "a redirect to another one of the origins goes without the token, and its 401 is left alone",
  async (world, make) => {
    const { api, other, session } = world;
    const origins = [api.origin, other.origin];
    api.respond = () => ({ status: 302, headers: { location: other.origin } });
    other.respond = () => UNAUTHORIZED;
    await rejection(make({ origins } as FetchOptions)("/"));
    expect([bearers(other), api.received.length, session.exchanges]).toEqual([[undefined], 1, 0]);
  },
);

ofetchTest("a predicate sees the query option", async ({ api }, make) => {
  const client = make({ origins: (url: URL) => url.searchParams.get("q") === "1" } as FetchOptions);
  for (const q of ["1", "2"]) await client("/", { query: { q } });
  expect(bearers(api)).toEqual([bearer(1), undefined]);
});

ofetchTest("no error holds the token", async ({ api }, make) => {
  const client = make({ retry: 0 });
  api.respond = () => ({ status: 500 });
  const controller = new AbortController();
  const failed = (await rejection(client("/"))) as FetchError;
  api.respond = () => {
    controller.abort();
    return { status: 200 };
  };
  const aborted = (await rejection(client("/", { signal: controller.signal }))) as FetchError;
  for (const { options } of [failed, aborted]) expect(new Headers(options?.headers).has("authorization")).toBe(false);
  expect(bearers(api)).toEqual([bearer(1), bearer(1)]);
});
