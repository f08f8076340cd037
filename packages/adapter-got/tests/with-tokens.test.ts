import { Readable } from "node:stream";
import type { TokenSource } from "@unexpired/core";
import { accepting, CANARY, startResourceServer, startSession, UNAUTHORIZED } from "@unexpired/testing";
import got, { type ExtendOptions, type OptionsInit, type Response } from "got";
import { expect, expectTypeOf } from "vitest";
import { perRequest, withTokens } from "../src/index.ts";
import { gotTest, rejection, tokensAt } from "./world.ts";

gotTest("requires origins", async ({ session: { tokens } }) => {
  // @ts-expect-error: tests a missing option
  expect(() => withTokens(tokens)).toThrow(TypeError);
  // @ts-expect-error: tests a missing option
  expect(() => withTokens(tokens, {})).toThrow(/^origins: needed/);
  expect(() => withTokens(tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

gotTest("keeps the types of the instance and of request options", async ({ api, session }) => {
  const client = got.extend(withTokens(session.tokens, { origins: [api.origin] }));
  const { statusCode, body } = await client(api.origin, {
    ...perRequest({ retry: false }),
    timeout: { request: 5000 },
  });
  expectTypeOf(statusCode).toBeNumber();
  expectTypeOf(body).toBeString();
  expectTypeOf(client.extend({ responseType: "json" })).not.toBeAny();
  expectTypeOf(perRequest).returns.toExtend<OptionsInit>();
  expect(await client.get(api.origin, perRequest({ tokens: false })).json()).toEqual({ ok: true });
  expect(tokensAt(api)).toEqual(["access-1", undefined]);
  expect(() => perRequest({ retry: 1 as never })).toThrow(TypeError);
});

gotTest("applies perRequest options of an instance, and keeps the rest of the context", async (world) => {
  const seen: unknown[] = [];
  const hooks = { beforeRequest: [({ context }: { context: object }) => void seen.push(Reflect.get(context, "mine"))] };
  await world.make({ hooks }).extend(perRequest({ tokens: false }))(world.api.origin, { context: { mine: 1 } });
  expect([tokensAt(world.api), seen]).toEqual([[undefined], [1]]);
});

gotTest("does not call the caller's calculateDelay for the retry after a 401, nor count that retry", async (world) => {
  const { api, make } = world;
  const delaysRequested: unknown[] = [];
  const client = make({
    retry: {
      limit: 1,
      calculateDelay: ({ error, attemptCount, computedValue }) => {
        delaysRequested.push([error.response?.statusCode, attemptCount]);
        return error.response?.statusCode === 503 ? computedValue && 1 : 0;
      },
    },
  });
  api.respond = ({ authorization }) => (authorization?.endsWith("1") ? UNAUTHORIZED : { status: 503 });
  await rejection(client(api.origin));
  expect(tokensAt(api)).toEqual(["access-1", "access-2", "access-2"]);
  expect(delaysRequested.at(0)).toEqual([503, 1]);
});

gotTest("attaches the token again after redirects through another origin and back", async (world) => {
  const { api, make } = world;
  await using other = await startResourceServer();
  other.respond = () => ({ status: 302, headers: { location: `${api.origin}/back` } });
  api.respond = ({ path }) => (path === "/" ? { status: 302, headers: { location: other.origin } } : { status: 200 });
  await make()(api.origin);
  expect([tokensAt(other), tokensAt(api)]).toEqual([[undefined], ["access-1", "access-1"]]);
});

gotTest("sends no token after a redirect from another origin", async ({ api, make }) => {
  await using other = await startResourceServer();
  other.respond = () => ({ status: 302, headers: { location: api.origin } });
  await make()(other.origin);
  expect([tokensAt(other), tokensAt(api)]).toEqual([[undefined], [undefined]]);
});

gotTest("respects a URL that the caller's hooks change", async ({ api, make }) => {
  await using other = await startResourceServer();
  const hooks: ExtendOptions["hooks"] = {
    beforeRequest: [
      (options) => {
        options.url = new URL(other.origin);
      },
    ],
  };
  await make().extend({ hooks })(api.origin);
  await make()(api.origin, { hooks });
  expect([tokensAt(api), tokensAt(other)]).toEqual([[], [undefined, undefined]]);
});

gotTest("sends no token with a user name in the URL", async ({ api, session, make }) => {
  api.respond = () => UNAUTHORIZED;
  await rejection(make()(api.origin.replace("//", "//me:mine@")));
  expect(api.received.map(({ authorization }) => authorization)).toEqual(["Basic bWU6bWluZQ=="]);
  expect(session.exchanges).toBe(0);
});

gotTest("supports two token managers on one client", async ({ api, make }) => {
  await using other = await startResourceServer();
  await using second = await startSession({ owner: "second-" });
  const client = make().extend(withTokens(second.tokens, { origins: [other.origin] }));
  api.respond = accepting(`${CANARY}access-2`);
  other.respond = accepting(second.accessToken(2));
  await Promise.all([client(api.origin), client(other.origin)]);
  expect([tokensAt(api), tokensAt(other)]).toEqual([
    ["access-1", "access-2"],
    ["access-second-1", "access-second-2"],
  ]);
});

/** A token source with a new numbered token for each rejection. */
const numbered = (): TokenSource => {
  let count = 1;
  return {
    getTokenSet: async () => ({ accessToken: `${CANARY}${count}`, tokenType: "Bearer", extra: {} }),
    replaceRejected: async () => `${CANARY}${++count}`,
  };
};

gotTest("retries each page after its 401, even with the options of the previous page", async ({ api }) => {
  api.respond = ({ path }, index) => (index % 2 ? { status: 200, body: JSON.stringify([path]) } : UNAUTHORIZED);
  const client = got.extend(
    { retry: { limit: 0 }, responseType: "json" },
    withTokens(numbered(), { origins: [api.origin] }),
  );
  const pages = await client.paginate.all<string>(`${api.origin}/1`, {
    pagination: {
      paginate: ({ response }) => {
        const { options } = response.request;
        options.url = new URL(response.url.replace(/\d$/, (page) => String(Number(page) + 1)));
        return response.url.endsWith("3") ? false : (options as OptionsInit);
      },
    },
  });
  expect(pages).toEqual(["/1", "/2", "/3"]);
  expect(tokensAt(api)).toEqual(["1", "2", "2", "3", "3", "4"]);
});

gotTest("does not send a generator twice", async ({ api, session, make }) => {
  api.respond = () => UNAUTHORIZED;
  const body = (function* () {
    yield "x";
  })();
  const error = await rejection(make().post(api.origin, { body }));
  expect([error.name, error.response?.statusCode]).toEqual(["HTTPError", 401]);
  await expect.poll(() => session.exchanges).toBe(1);
  expect(api.received.length).toBe(1);
});

const upload = () => {
  const form = new FormData();
  form.set("file", new Blob(["contents"]), "name.txt");
  return form;
};

gotTest("sends the caller's FormData again, with the boundary that its content type names", async ({ api }) => {
  api.respond = (_, index) => (index % 2 ? { status: 200 } : UNAUTHORIZED);
  const client = got.extend({ retry: { limit: 0 } }, withTokens(numbered(), { origins: [api.origin] }));
  const own = "multipart/form-data; boundary=mine";
  await client.post(api.origin, { body: upload() });
  await client.post(api.origin, { body: upload(), headers: { "content-type": own } });
  expect(api.received.length).toBe(4);
  for (const { body, contentType = "" } of api.received.slice(0, 2)) {
    const [, boundary = "none"] = contentType.split("boundary=");
    expect(body.toString()).toMatch(new RegExp(`^--${boundary}\\r\\n[^]*contents\\r\\n--${boundary}--`));
  }
  expect(api.received.slice(2).map(({ contentType }) => contentType)).toEqual([own, own]);
});

gotTest("does not send the caller's FormData in place of a stream that a hook has put there", async ({ api, make }) => {
  api.respond = () => UNAUTHORIZED;
  const hooks: ExtendOptions["hooks"] = {
    beforeRequest: [
      (options) => {
        delete options.headers["content-length"];
        options.body = Readable.from(["x"]);
      },
    ],
  };
  const error = await rejection(make({ hooks }).post(api.origin, { body: upload() }));
  expect([error.response?.statusCode, api.received.map(({ body }) => body.toString())]).toEqual([401, ["x"]]);
});

gotTest("does not send the caller's FormData after a redirect that has dropped it", async ({ api, make }) => {
  api.respond = (received) =>
    received.path === "/" ? { status: 303, headers: { location: "/made" } } : accepting(`${CANARY}access-2`)(received);
  expect((await make().post(api.origin, { body: upload() })).statusCode).toBe(200);
  const seen = api.received.map(({ method, body }) => [method, body.length > 0]);
  expect(seen).toEqual([
    ["POST", true],
    ["GET", false],
    ["GET", false],
  ]);
});

gotTest("leaves invalid options to got", async ({ api, make }) => {
  expect(await rejection(make()("no URL"))).toMatchObject({ code: "ERR_INVALID_URL" });
  const refused = { nonsense: 1 } as OptionsInit;
  expect(String(await rejection(make()(api.origin, refused)))).toContain("Unexpected option: nonsense");
  const invalid = (client: typeof got) => rejection(Promise.resolve().then(() => client(1 as never))); // 14.0 throws
  expect(String(await invalid(make()))).toBe(String(await invalid(got)));
  expect(String(await rejection(make().stream(api.origin, refused).toArray()))).toContain("nonsense");
});

gotTest("returns got's response unchanged with throwHttpErrors: false", async ({ api, make }) => {
  api.respond = () => ({ status: 500 });
  const retry = {
    limit: 1,
    calculateDelay: ({ attemptCount }: { attemptCount: number }) => (attemptCount > 1 ? 0 : 1),
  };
  const client = make({ throwHttpErrors: false, retry });
  for (const body of [undefined, Readable.from(["x"])]) {
    const response = await client(api.origin, { method: "PUT", ...(body && { body }) });
    expect(response.statusCode).toBe(500);
    expect(response.request.options.url?.toString()).toBe(`${api.origin}/`);
  }
});

gotTest("passes the body parsed by responseType to isUnauthorized", async ({ api, session }) => {
  const bodies: unknown[] = [];
  const isUnauthorized = async ({ body }: Response) => bodies.push(body) === 0;
  const client = got.extend(withTokens(session.tokens, { origins: [api.origin], isUnauthorized }));
  await client(api.origin, { responseType: "json" });
  await client(api.origin).json();
  expect(bodies).toEqual([{ ok: true }, '{"ok":true}']);
});
