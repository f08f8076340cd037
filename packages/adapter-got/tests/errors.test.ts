import { once } from "node:events";
import { Agent } from "node:http";
import { inspect } from "node:util";
import { CANARY, UNAUTHORIZED } from "@unexpired/testing";
import got, { type ExtendOptions, type RequestError } from "got";
import { expect } from "vitest";
import { withTokens } from "../src/index.ts";
import { gotTest, rejection, tokensAt } from "./world.ts";

const inspected = (value: unknown) => inspect(value, { depth: null, showHidden: true });

const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open: () => open(), opened };
};

const expectNoToken = (error: RequestError) => {
  for (const value of [error, error.options, error.request, error.response, error.cause]) {
    expect(inspected(value)).not.toContain(CANARY);
  }
  expect(JSON.stringify([error, error.options, error.request, error.response])).not.toContain(CANARY);
  expect(error.options.headers.authorization).toBeUndefined();
  expect(error.request).toMatchObject({ method: "GET", url: String(error.options.url) });
};

gotTest("the error of .json() is clean where the body is none", async ({ api, make }) => {
  api.respond = () => ({ status: 200, body: "{" });
  for (const call of [() => make()(api.origin).json(), () => make()(api.origin, { responseType: "json" })]) {
    const error = await rejection(call());
    expect(error.name).toBe("ParseError");
    expect(error.response?.statusCode).toBe(200);
    expect(String(Buffer.from(error.response?.rawBody ?? ""))).toBe("{");
    expectNoToken(error);
  }
});

gotTest("the errors of shortcuts are clean, and no rejection is left over", async ({ api, make }) => {
  api.respond = () => ({ status: 500, body: '{"why":1}' });
  for (const shortcut of ["json", "text", "buffer"] as const) {
    const error = await rejection(make()(api.origin)[shortcut]());
    expect(error.response).toMatchObject({
      statusCode: 500,
      statusMessage: "Internal Server Error",
      body: '{"why":1}',
    });
    expectNoToken(error);
  }
});

gotTest("a promise of got stays one: events, and a rejection that nobody handles", async ({ api, make }) => {
  const seen: unknown[] = [];
  const progress = ({ percent }: { percent: number }) => seen.push(percent);
  expect(
    await make()(api.origin).on("downloadProgress", progress).json().on("downloadProgress", progress),
  ).toBeTruthy();
  expect(seen).toContain(1);
  api.respond = () => ({ status: 500 });
  const listeners = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  try {
    for (const forget of [() => make()(api.origin), () => make()(api.origin).json()]) {
      const unhandled = once(process, "unhandledRejection");
      void forget();
      expect((await unhandled)[0]).toMatchObject({ name: "HTTPError" });
    }
  } finally {
    for (const listener of listeners) process.on("unhandledRejection", listener);
  }
});

gotTest("a call that is cancelled or aborted has a clean error", async ({ api, make }) => {
  const handlers: ExtendOptions["handlers"] = [(options, next) => next(options)];
  for (const end of ["abort", "cancel"] as const) {
    const controller = new AbortController();
    const { signal } = controller;
    const client = make({ handlers }).extend({ handlers });
    const call: Promise<unknown> & { cancel?: () => void } = client(api.origin, { signal });
    api.respond = () => {
      if (end === "cancel" && call.cancel)
        call.cancel(); // only early versions have it
      else controller.abort();
      return new Promise(() => {});
    };
    const error = await rejection(call);
    expect(error.name).toMatch(/^(Abort|Cancel)Error$/);
    expectNoToken(error);
  }
});

gotTest("a token that comes too late is not put on options that an error shows", async ({ api }) => {
  const [asked, answer] = [gate(), gate()];
  const getTokenSet = async () => {
    asked.open();
    await answer.opened;
    return { accessToken: `${CANARY}1`, tokenType: "Bearer", extra: {} };
  };
  const tokens = { getTokenSet, replaceRejected: async () => "" };
  const controller = new AbortController();
  const call = got.extend(withTokens(tokens, { origins: [api.origin] }))(api.origin, { signal: controller.signal });
  const failure = rejection(call);
  await asked.opened;
  controller.abort();
  const error = await failure;
  answer.open();
  await new Promise(setImmediate);
  expectNoToken(error);
});

gotTest("errors of streams are clean, also where got does not ask its hooks; none is swallowed", async (world) => {
  const { api, session, make } = world;
  expect(await make().stream(api.origin).toArray()).not.toEqual([]);
  api.respond = () => UNAUTHORIZED;
  const refused = await rejection(make().stream(api.origin).toArray());
  expect(refused.response?.statusCode).toBe(401);
  expectNoToken(refused);
  await expect.poll(() => session.exchanges).toBe(1); // for the next call
  expect(tokensAt(api)).toEqual(["access-1", "access-1"]);
  const controller = new AbortController();
  api.respond = () => {
    controller.abort();
    return new Promise(() => {});
  };
  const stream = make().stream(api.origin, { signal: controller.signal });
  expect(stream.listenerCount("error")).toBe(0); // an error that nobody handles still ends the process
  const aborted = await rejection(stream.toArray());
  expect(aborted.name).toBe("AbortError");
  expectNoToken(aborted);
});

gotTest("hooks of the caller's see clean errors, and the options that they know", async ({ api, make }) => {
  const seen: RequestError[] = [];
  const see = (error: RequestError) => {
    seen.push(error);
    expectNoToken(error);
    return error;
  };
  const hooks: ExtendOptions["hooks"] = { beforeRetry: [(error) => void see(error)], beforeError: [see] };
  const retry = { limit: 1, calculateDelay: ({ computedValue }: { computedValue: number }) => computedValue && 1 };
  api.respond = (_, index) => (index ? { status: 503 } : UNAUTHORIZED);
  await rejection(make({ hooks, retry }).extend({ hooks })(api.origin, { context: { mine: 1 } }));
  expect(seen.map(({ name }) => name)).toEqual([
    "RetryError",
    "RetryError",
    "HTTPError",
    "HTTPError",
    "HTTPError",
    "HTTPError",
  ]);
  expect(seen.map(({ options }) => options.context.mine)).toEqual(seen.map(() => 1));
});

gotTest("an error that a hook makes is left alone", async ({ api, make }) => {
  api.respond = () => ({ status: 500 });
  for (const own of [{ code: "OTHER" }, { code: "OTHER", options: { mine: true } }]) {
    const hooks: ExtendOptions["hooks"] = {
      beforeError: [() => Object.assign(new Error("other"), own) as unknown as RequestError],
    };
    expect(await rejection(make({ hooks })(api.origin))).toMatchObject({ message: "other", code: "OTHER" });
  }
});

gotTest("a failure is handled where its events are listened to", async ({ api, make }) => {
  api.respond = () => ({ status: 500 });
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const error = await rejection(make()(api.origin).on("downloadProgress", () => {}));
  expect(error.name).toBe("HTTPError");
  expectNoToken(error);
  await new Promise(setImmediate);
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

gotTest("an agent with other requests in flight stays in the options, and does not print", async ({ api, make }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const client = make({ agent: { http: agent } });
  const [arrived, answer] = [gate(), gate()];
  api.respond = async ({ path }) => {
    if (path === "/fails") return { status: 500 };
    arrived.open();
    await answer.opened;
    return { status: 200 };
  };
  const slow = client(`${api.origin}/slow`);
  await arrived.opened;
  const failed = rejection(client(`${api.origin}/fails`));
  const waiting = client(`${api.origin}/waits`);
  const error = await failed;
  expect(inspected(agent)).toContain(CANARY); // that is what the caller's own agent is like
  expectNoToken(error);
  expect(error.options.agent).toMatchObject({ http: agent });
  answer.open();
  await Promise.all([slow, waiting]);
  agent.destroy();
});
