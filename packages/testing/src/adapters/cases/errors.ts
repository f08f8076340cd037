import { once } from "node:events";
import { connect } from "node:net";
import { inspect } from "node:util";
import { authErrorOf, isAuthError } from "@unexpired/core";
import { expectThat } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import type { Call, ClientSetup, Feature } from "../harness.ts";
import { type ResourceServer, startResourceServer, UNAUTHORIZED } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { describeError, expectFailure } from "./expect.ts";

/** Renders an error, and everything its properties lead to, in every way in which it could reach a log. */
function* printed(error: unknown): Generator<[where: string, text: string]> {
  for (const depth of [4, 8, 16]) yield ["util.inspect", shown(error, depth)]; // unlimited depth can be huge
  yield ["util.inspect", shown(error)];
  yield ["JSON.stringify", json(error)];
  for (const key of keysOf(error)) {
    const value: unknown = Reflect.get(Object(error), key);
    yield [`its ${key}`, `${shown(value)} ${json(value)}`];
    if (key === "toJSON" && typeof value === "function") yield ["toJSON()", shown(value.call(error))];
  }
}

const shown = (value: unknown, depth: number | null = null): string =>
  inspect(value, { depth, showHidden: true, maxArrayLength: null, maxStringLength: null });

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return ""; // circular
  }
}

/** Returns the names of an error's own and inherited properties, including getters that `inspect` does not evaluate. */
const keysOf = (error: unknown): readonly string[] => {
  const own: string[] = [];
  for (let each: unknown = error; Object.getPrototypeOf(Object(each)) !== null; each = Object.getPrototypeOf(each)) {
    own.push(...Object.getOwnPropertyNames(each));
  }
  return [...new Set(own)];
};

function expectNoTokenIn(error: unknown, what: string): void {
  for (const [where, text] of printed(error)) {
    expectThat(!text.includes(CANARY), "error", `${what}, and the error reveals a token in ${where}.`);
  }
}

/** The call and the client setup that provoke a failure. */
interface Provoked {
  readonly call?: Partial<Call>;
  readonly setup?: Partial<ClientSetup>;
}

interface Failure {
  readonly name: string;
  readonly needs?: readonly Feature[];
  /** Makes the server or the call fail. */
  provoke(api: ResourceServer, scene: AdapterScene): Provoked | Promise<Provoked>;
}

const failures: readonly Failure[] = [
  ...[401, 403, 500].map(
    (status): Failure => ({
      name: `status ${status}`,
      needs: ["statusErrors"],
      provoke(api) {
        api.respond = () => ({ ...UNAUTHORIZED, status });
        return {};
      },
    }),
  ),
  {
    name: "status 500 with a streamed body",
    needs: ["statusErrors", "stream"],
    provoke(api) {
      api.respond = () => ({ status: 500 });
      return { call: { read: "stream" } };
    },
  },
  {
    name: "a connection closed before the response",
    provoke(api) {
      api.respond = async () => {
        await api[Symbol.asyncDispose]();
        return { status: 200 };
      };
      return {};
    },
  },
  {
    name: "a connection closed in the middle of the response",
    provoke(api) {
      api.respond = () => ({ status: 200, truncate: true });
      return { call: { read: "text" } };
    },
  },
  {
    name: "a refused connection",
    async provoke(_, { other }) {
      const socket = connect(Number(new URL(other.origin).port), "127.0.0.1").on("error", () => {});
      await once(socket, "connect");
      const origin = `http://127.0.0.1:${socket.localPort}`; // no server can listen there while the socket uses the port
      return { call: { url: `${origin}/` }, setup: { origins: [origin] } };
    },
  },
  {
    name: "too many redirects",
    needs: ["redirects"],
    provoke(api) {
      api.respond = () => ({ status: 302, headers: { location: "/" } });
      return {};
    },
  },
  {
    name: "an abort",
    provoke(api) {
      const controller = new AbortController();
      api.respond = () => {
        controller.abort();
        return new Promise(() => {});
      };
      return { call: { signal: controller.signal } };
    },
  },
  {
    name: "a timeout of the client",
    needs: ["timeout"],
    provoke(api) {
      api.respond = () => new Promise(() => {});
      return { call: { timeout: 500 } };
    },
  },
  {
    name: "a refresh that ends the session",
    provoke(api, { session }) {
      api.respond = () => UNAUTHORIZED;
      session.fail({ error: "invalid_grant", status: 400, sent: true });
      return {};
    },
  },
];

const failureCase = ({ name, needs, provoke }: Failure): AdapterCase => ({
  name: `keeps tokens out of the error for ${name}`,
  needs,
  async run(scene) {
    const { call, setup } = await provoke(scene.api, scene);
    const client = await scene.connect(setup);
    expectNoTokenIn(await errorOf(sendWith(client, { url: "/", ...call }), name), `The call failed with ${name}`);
  },
});

/** Resolves to the error of a call, which is thrown or belongs to a status. */
const errorOf = async (call: ReturnType<typeof sendWith>, what: string): Promise<unknown> => {
  const thrown = call.then(({ error, status }) => {
    if (error === undefined) return { status };
    throw error;
  });
  return expectFailure(thrown, { clause: "error", what: `The call was made to fail with ${what}` });
};

const pooled: AdapterCase = {
  name: "keeps the token of another request in flight out of an error, with the caller's own transport",
  needs: ["agent", "statusErrors"],
  async run(scene) {
    await using slow = await startResourceServer();
    const arrival = createGate();
    const responseGate = createGate();
    slow.respond = async () => {
      arrival.open();
      await responseGate.opened;
      return { status: 200 };
    };
    scene.api.respond = () => ({ status: 500 });
    const client = await scene.connect({ onConnect: () => {}, origins: [scene.api.origin, slow.origin] });
    const other = sendWith(client, { url: `${slow.origin}/` });
    await arrival.opened;
    const error = await errorOf(sendWith(client, { url: "/" }), "status 500");
    try {
      expectNoTokenIn(error, "The call failed with status 500 while another one was in flight");
    } finally {
      responseGate.open();
      await other;
    }
  },
};

const usable: AdapterCase = {
  name: "keeps the details of request and response in an error for a status",
  needs: ["statusErrors"],
  async run(scene) {
    scene.api.respond = () => ({ status: 500, body: '{"why":"because"}' });
    const call: Call = { url: "/x?y=1", read: "json" };
    const alone = await scene.send(call, { tokens: undefined });
    const { error, status, body } = await scene.send(call);
    expectThat(status === 500 && error !== undefined, "transparency", "The client did not throw for a 500.");
    expectThat(
      JSON.stringify(body) === '{"why":"because"}',
      "transparency",
      "The body of a 500 differs from what the server sent.",
    );
    const [expected, views] = [viewsOf(alone.error), viewsOf(error)];
    for (const [index, name] of ["request", "response.request"].entries()) {
      if (typeof expected[index] !== "object") continue; // the client's errors have no such member
      const { method, url, status = 500 } = Object(views[index]) as Readonly<Record<string, unknown>>;
      const isView = method === "GET" && url === `${scene.api.origin}/x?y=1` && status === 500;
      expectThat(isView, "error", `The error's ${name} does not show the method, the URL and the status.`);
    }
  },
};

const found: AdapterCase = {
  name: "throws an error in which authErrorOf finds the token manager's error",
  async run(scene) {
    await scene.session.tokens.signOut();
    const error = await expectFailure(scene.send({ url: "/" }), { clause: "refresh", what: "No user is signed in" });
    const isFound = authErrorOf(error)?.code === "SIGN_IN_REQUIRED" && isAuthError(error);
    expectThat(
      isFound,
      "refresh",
      () =>
        `No user is signed in, and the call threw ${describeError(error)}, in which authErrorOf finds no such error.`,
    );
  },
};

const recognized: AdapterCase = {
  name: "throws an error for a second 401 that isAuthError recognizes",
  needs: ["statusErrors"],
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    const { error } = await scene.send({ url: "/" });
    expectThat(
      isAuthError(error),
      "retry",
      () => `The call threw ${describeError(error)}, which isAuthError does not recognize as a 401.`,
    );
  },
};

const unavailable: AdapterCase = {
  name: "throws an error for a 401 while the token endpoint is down that isAuthError does not take for a sign-in",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    scene.session.fail({ status: 503, sent: true });
    const what = "The API responded with 401 and the token endpoint was down";
    const error = await expectFailure(scene.send({ url: "/" }), { clause: "refresh", what });
    expectThat(
      !isAuthError(error),
      "refresh",
      () => `${what}, and the call threw ${describeError(error)}, after which isAuthError asks for a sign-in.`,
    );
  },
};

const viewsOf = (error: unknown): readonly unknown[] => {
  const { request, response } = Object(error) as { request?: unknown; response?: { request?: unknown } };
  return [request, response?.request];
};

export const errorCases: readonly AdapterCase[] = [
  ...failures.map(failureCase),
  pooled,
  usable,
  found,
  unavailable,
  recognized,
];
