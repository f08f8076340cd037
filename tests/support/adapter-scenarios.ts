import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { type Origins, SignInRequiredError, type TokenManager } from "@unexpired/core";
import { expect } from "vitest";
import { type ApiServer, accepting, startApi, UNAUTHORIZED } from "./api-server.ts";
import { canary } from "./canary.ts";
import { type Session, startSession } from "./session.ts";

/** A request body in the client's own words is made from this. */
export type Body =
  | { readonly json: unknown }
  | { readonly form: Readonly<Record<string, string>> }
  | { readonly text: string }
  | { readonly bytes: Buffer }
  | { readonly stream: readonly string[] };

export interface Call {
  readonly method?: string;
  /** A path under the base URL, or an absolute URL. */
  readonly url: string;
  readonly baseURL?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly signal?: AbortSignal;
}

/** How one call ended, where there was an answer; anything else is thrown as the client throws it. */
export interface Answer {
  readonly status: number;
  /** The client's own error, where it made one of the status. */
  readonly error?: unknown;
}

type Client = (call: Call) => Promise<Answer>;

export interface Setup {
  /** Absent: the client alone. */
  readonly tokens?: TokenManager;
  readonly baseURL: string;
  readonly origins?: Origins;
  /** The client's own retries of a 503, at most. */
  readonly retries?: number;
}

/** One HTTP client with its adapter. */
export interface Harness {
  connect(setup: Setup): Client;
  /** Whether this is how the client says that the caller aborted. */
  isAbort(error: unknown): boolean;
  /** Our error in what the client throws. */
  ours(error: unknown): unknown;
  /** Whether the client retries at all. */
  readonly retries: boolean;
}

export interface World {
  readonly harness: Harness;
  readonly api: ApiServer;
  /** Another origin: the same host, another port. */
  readonly other: ApiServer;
  readonly session: Session;
  /** The client with the adapter, for the origin of `api`. */
  readonly send: Client;
}

export interface Scenario {
  readonly name: string;
  run(world: World): Promise<void>;
}

/** Runs a test in a world of its own, which is gone afterwards. */
export const inWorld = (harness: Harness, run: (world: World) => Promise<void>) => async (): Promise<void> => {
  await using api = await startApi();
  await using other = await startApi();
  await using session = await startSession();
  const send = harness.connect({ tokens: session.tokens, baseURL: api.origin, origins: [api.origin] });
  await run({ harness, api, other, session, send });
};

export const bearers = (server: ApiServer) => server.received.map(({ authorization }) => authorization);
export const bearer = (n: number) => `Bearer ${canary("access", n)}`;
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`resolved to ${inspect(value)}`),
    (error: unknown) => error,
  );

/** The error and everything that it leads to in print. */
export const printed = (error: unknown): string =>
  [
    inspect(error, { depth: 8, showHidden: false }),
    JSON.stringify(error),
    error instanceof Error ? `${error.message} ${error.stack} ${inspect(error.cause, { depth: 8 })}` : "",
  ].join("\n");

const attaching: readonly Scenario[] = [
  {
    name: "the token is attached",
    async run({ api, send }) {
      expect((await send({ url: "/things?page=2" })).status).toBe(200);
      expect(bearers(api)).toEqual([bearer(1)]);
      expect(api.received[0]?.path).toBe("/things?page=2");
    },
  },
  {
    name: "the caller's own Authorization is kept, and its 401 left alone",
    async run({ api, session, send }) {
      api.respond = () => UNAUTHORIZED;
      const { status } = await send({ url: "/", headers: { authorization: "Basic own" } });
      expect(status).toBe(401);
      expect(bearers(api)).toEqual(["Basic own"]);
      expect(session.exchanges).toBe(0);
    },
  },
  {
    name: "two managers on two instances do not mix",
    async run({ harness, api, send }) {
      await using second = await startSession("b-");
      const sendSecond = harness.connect({ tokens: second.tokens, baseURL: api.origin, origins: [api.origin] });
      for (const client of [send, sendSecond, send]) await client({ url: "/" });
      expect(bearers(api)).toEqual([bearer(1), `Bearer ${canary("access", "b-1")}`, bearer(1)]);
    },
  },
  {
    name: "a sign-in that is required is thrown as such, and nothing is sent",
    async run({ harness, api, session, send }) {
      await session.tokens.signOut();
      expect(harness.ours(await rejection(send({ url: "/" })))).toBeInstanceOf(SignInRequiredError);
      expect(api.received).toEqual([]);
    },
  },
];

const bodies: readonly [string, Body][] = [
  ["JSON", { json: { name: "ünï", list: [1, 2] } }],
  ["form", { form: { a: "1 2", b: "ü" } }],
  ["string", { text: '{"as":  "it is"}' }],
  ["Buffer", { bytes: Buffer.from([0, 255, 10, 13, 128]) }],
];

const repeating: readonly Scenario[] = [
  {
    name: "a 401 costs one exchange and is repeated with the newer token",
    async run({ api, session, send }) {
      api.respond = accepting(canary("access", 2));
      expect((await send({ url: "/x?y=1" })).status).toBe(200);
      expect(bearers(api)).toEqual([bearer(1), bearer(2)]);
      expect(api.received.map(({ path }) => path)).toEqual(["/x?y=1", "/x?y=1"]);
      expect(session.exchanges).toBe(1);
    },
  },
  ...bodies.map(
    ([kind, body]): Scenario => ({
      name: `a ${kind} body is repeated byte for byte`,
      async run({ api, send }) {
        api.respond = accepting(canary("access", 2));
        expect((await send({ method: "POST", url: "/", body })).status).toBe(200);
        const [first, second] = api.received;
        expect(first?.body.length).toBeGreaterThan(0);
        expect(second).toEqual({ ...first, authorization: bearer(2) });
      },
    }),
  ),
  {
    name: "a second 401 is the caller's",
    async run({ api, session, send }) {
      api.respond = () => UNAUTHORIZED;
      expect((await send({ url: "/" })).status).toBe(401);
      expect(bearers(api)).toEqual([bearer(1), bearer(2)]);
      expect(session.exchanges).toBe(1);
    },
  },
  {
    name: "a request is repeated once, however new the tokens are",
    async run({ api, session, send }) {
      api.respond = async (_, index) => {
        if (index < 5) await session.tokens.refresh();
        return UNAUTHORIZED;
      };
      expect((await send({ url: "/" })).status).toBe(401);
      expect(bearers(api)).toEqual([bearer(1), bearer(2)]);
    },
  },
  {
    name: "a 401 that is about rights is not repeated",
    async run({ api, session, send }) {
      api.respond = () => ({ status: 401, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } });
      expect((await send({ url: "/" })).status).toBe(401);
      expect(api.received.length).toBe(1);
      expect(session.exchanges).toBe(0);
    },
  },
  {
    name: "a late 401 for an old token is repeated without an exchange",
    async run({ api, session, send }) {
      api.respond = async (received) => {
        if (received.authorization === bearer(1)) await session.tokens.refresh();
        return accepting(canary("access", 2))(received, 0);
      };
      expect((await send({ url: "/" })).status).toBe(200);
      expect(session.exchanges).toBe(1);
    },
  },
  {
    name: "100 concurrent 401s cost one exchange",
    async run({ api, session, send }) {
      api.respond = accepting(canary("access", 2));
      const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => send({ url: `/${n}` })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(session.exchanges).toBe(1);
    },
  },
  {
    name: "a stream is not sent twice: its 401 is the caller's, and the next call has a newer token",
    async run({ api, session, send }) {
      api.respond = accepting(canary("access", 2));
      expect((await send({ method: "POST", url: "/", body: { stream: ["one", "two"] } })).status).toBe(401);
      await expect.poll(() => session.exchanges).toBe(1);
      expect((await send({ url: "/" })).status).toBe(200);
      expect(api.received.map(({ body }) => body.toString())).toEqual(["onetwo", ""]);
    },
  },
  {
    name: "a 401 whose renewal ends the session is thrown as such",
    async run({ harness, api, session, send }) {
      api.respond = () => UNAUTHORIZED;
      session.revoked = true;
      expect(harness.ours(await rejection(send({ url: "/" })))).toBeInstanceOf(SignInRequiredError);
    },
  },
  {
    name: "an abort during the renewal ends the call at once; the exchange goes on",
    async run({ harness, api, session, send }) {
      const resume = session.pause();
      api.respond = accepting(canary("access", 2));
      const controller = new AbortController();
      const call = rejection(send({ url: "/", signal: controller.signal }));
      await expect.poll(() => session.exchanges).toBe(1);
      controller.abort();
      const error = await Promise.race([call, delay(1000, "still waiting")]);
      expect(harness.isAbort(error), inspect(error)).toBe(true);
      resume();
      expect((await send({ url: "/" })).status).toBe(200);
      expect([session.exchanges, api.received.length]).toEqual([1, 2]);
    },
  },
];

export const coreScenarios: readonly Scenario[] = [...attaching, ...repeating];
