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

gotTest("hides the token in the error of .json() for an invalid body", async ({ api, make }) => {
  api.respond = () => ({ status: 200, body: "{" });
  for (const call of [() => make()(api.origin).json(), () => make()(api.origin, { responseType: "json" })]) {
    const error = await rejection(call());
    expect(error.name).toBe("ParseError");
    expect(error.response?.statusCode).toBe(200);
    expect(String(Buffer.from(error.response?.rawBody ?? ""))).toBe("{");
    expectNoToken(error);
  }
});

gotTest("hides the token in errors of shortcuts, and leaves no unhandled rejection", async ({ api, make }) => {
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

gotTest("keeps the events and the unhandled rejections of got's promises", async ({ api, make }) => {
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

gotTest("hides the token in the error of a canceled or aborted call", async ({ api, make }) => {
  const handlers: ExtendOptions["handlers"] = [(options, next) => next(options)];
  for (const end of ["abort", "cancel"] as const) {
    const controller = new AbortController();
    const { signal } = controller;
    const client = make({ handlers }).extend({ handlers });
    const call: Promise<unknown> & { cancel?: () => void } = client(api.origin, { signal });
    api.respond = () => {
      if (end === "cancel" && call.cancel)
        call.cancel(); // only in early versions of got
      else controller.abort();
      return new Promise(() => {});
    };
    const error = await rejection(call);
    expect(error.name).toMatch(/^(Abort|Cancel)Error$/);
    expectNoToken(error);
  }
});

gotTest("does not attach a token that arrives after an abort", async ({ api }) => {
  const [requested, released] = [gate(), gate()];
  const getTokenSet = async () => {
    requested.open();
    await released.opened;
    return { accessToken: `${CANARY}1`, tokenType: "Bearer", extra: {} };
  };
  const tokens = { getTokenSet, replaceRejected: async () => "" };
  const controller = new AbortController();
  const call = got.extend(withTokens(tokens, { origins: [api.origin] }))(api.origin, { signal: controller.signal });
  const failure = rejection(call);
  await requested.opened;
  controller.abort();
  const error = await failure;
  released.open();
  await new Promise(setImmediate);
  expectNoToken(error);
});

gotTest("hides the token in errors of streams, even if got calls no hook, and swallows none", async (world) => {
  const { api, session, make } = world;
  expect(await make().stream(api.origin).toArray()).not.toEqual([]);
  api.respond = () => UNAUTHORIZED;
  const refused = await rejection(make().stream(api.origin).toArray());
  expect(refused.response?.statusCode).toBe(401);
  expectNoToken(refused);
  await expect.poll(() => session.exchanges).toBe(1); // refreshed for the next call
  expect(tokensAt(api)).toEqual(["access-1", "access-1"]);
  const controller = new AbortController();
  api.respond = () => {
    controller.abort();
    return new Promise(() => {});
  };
  const stream = make().stream(api.origin, { signal: controller.signal });
  expect(stream.listenerCount("error")).toBe(0); // an unhandled error still ends the process
  const aborted = await rejection(stream.toArray());
  expect(aborted.name).toBe("AbortError");
  expectNoToken(aborted);
});

gotTest("hides the token from the caller's hooks, and keeps their options", async ({ api, make }) => {
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

gotTest("leaves an error of another hook unchanged", async ({ api, make }) => {
  api.respond = () => ({ status: 500 });
  for (const own of [{ code: "OTHER" }, { code: "OTHER", options: { mine: true } }]) {
    const hooks: ExtendOptions["hooks"] = {
      beforeError: [() => Object.assign(new Error("other"), own) as unknown as RequestError],
    };
    expect(await rejection(make({ hooks })(api.origin))).toMatchObject({ message: "other", code: "OTHER" });
  }
});

gotTest("leaves no unhandled rejection if the caller listens to events", async ({ api, make }) => {
  api.respond = () => ({ status: 500 });
  const unhandled: unknown[] = [];
  const record = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", record);
  const error = await rejection(make()(api.origin).on("downloadProgress", () => {}));
  expect(error.name).toBe("HTTPError");
  expectNoToken(error);
  await new Promise(setImmediate);
  process.off("unhandledRejection", record);
  expect(unhandled).toEqual([]);
});

gotTest("keeps an agent with other requests in flight in the options, and hides it", async ({ api, make }) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 2 });
  const client = make({ agent: { http: agent } });
  const [arrived, released] = [gate(), gate()];
  api.respond = async ({ path }) => {
    if (path === "/fails") return { status: 500 };
    arrived.open();
    await released.opened;
    return { status: 200 };
  };
  const slow = client(`${api.origin}/slow`);
  await arrived.opened;
  const failed = rejection(client(`${api.origin}/fails`));
  const waiting = client(`${api.origin}/waits`);
  const error = await failed;
  expect(inspected(agent)).toContain(CANARY); // the caller's agent itself does reference the token
  expectNoToken(error);
  expect(error.options.agent).toMatchObject({ http: agent });
  released.open();
  await Promise.all([slow, waiting]);
  agent.destroy();
});
