import { once } from "node:events";
import { connect } from "node:net";
import { inspect } from "node:util";
import { hold } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import type { Call, ClientSetup, Feature } from "../harness.ts";
import { type ResourceServer, startResourceServer, UNAUTHORIZED } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { caught } from "./hold.ts";

/** All that somebody could print of an error, and of what its properties lead to. */
function* printed(error: unknown): Generator<[where: string, text: string]> {
  for (const depth of [4, 8, 16]) yield ["util.inspect", shown(error, depth)]; // all of it may be very much
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
    return ""; // it has cycles
  }
}

/** Its properties, and those of its class: errors may have getters that nothing prints. */
const keysOf = (error: unknown): readonly string[] => {
  const own: string[] = [];
  for (let each: unknown = error; each instanceof Error; each = Object.getPrototypeOf(each)) {
    own.push(...Object.getOwnPropertyNames(each));
  }
  return [...new Set(own)];
};

function holdQuiet(error: unknown, what: string): void {
  for (const [where, text] of printed(error)) {
    hold(!text.includes(CANARY), "error", `${what}, and the error shows a token: ${where}.`);
  }
}

/** What the call has to be like for it. */
interface Provoked {
  readonly call?: Partial<Call>;
  readonly setup?: Partial<ClientSetup>;
}

interface Failure {
  readonly name: string;
  readonly needs?: readonly Feature[];
  /** Has the server, or the call, go wrong. */
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
    name: "status 500 of a response that is streamed",
    needs: ["statusErrors", "stream"],
    provoke(api) {
      api.respond = () => ({ status: 500 });
      return { call: { read: "stream" } };
    },
  },
  {
    name: "a connection that is closed before the answer",
    provoke(api) {
      api.respond = async () => {
        await api[Symbol.asyncDispose]();
        return { status: 200 };
      };
      return {};
    },
  },
  {
    name: "a connection that is closed in the middle of the answer",
    provoke(api) {
      api.respond = () => ({ status: 200, truncate: true });
      return { call: { read: "text" } };
    },
  },
  {
    name: "a connection that is refused",
    async provoke(_, { other }) {
      const socket = connect(Number(new URL(other.origin).port), "127.0.0.1").on("error", () => {});
      await once(socket, "connect");
      const origin = `http://127.0.0.1:${socket.localPort}`; // nobody listens there as long as the socket has it
      return { call: { url: `${origin}/` }, setup: { origins: [origin] } };
    },
  },
  {
    name: "more redirects than the client follows",
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
    name: "the client's timeout",
    needs: ["timeout"],
    provoke(api) {
      api.respond = () => new Promise(() => {});
      return { call: { timeout: 500 } };
    },
  },
  {
    name: "a renewal that ends the session",
    provoke(api, { session }) {
      api.respond = () => UNAUTHORIZED;
      session.fail({ error: "invalid_grant", status: 400, sent: true });
      return {};
    },
  },
];

const failureCase = ({ name, needs, provoke }: Failure): AdapterCase => ({
  name: `shows no token in the error of ${name}`,
  needs,
  async run(scene) {
    const { call, setup } = await provoke(scene.api, scene);
    const client = await scene.connect(setup);
    holdQuiet(await errorOf(sendWith(client, { url: "/", ...call }), name), `The call failed with ${name}`);
  },
});

/** Of a status, or thrown. */
const errorOf = async (call: ReturnType<typeof sendWith>, what: string): Promise<unknown> => {
  const thrown = call.then(({ error, status }) => {
    if (error === undefined) return { status };
    throw error;
  });
  return caught(thrown, { clause: "error", what: `This was to fail with ${what}` });
};

const pooled: AdapterCase = {
  name: "shows no token of another request in flight, through the caller's own transport",
  needs: ["agent", "statusErrors"],
  async run(scene) {
    await using slow = await startResourceServer();
    const arrival = createGate();
    const answer = createGate();
    slow.respond = async () => {
      arrival.open();
      await answer.opened;
      return { status: 200 };
    };
    scene.api.respond = () => ({ status: 500 });
    const client = await scene.connect({ onConnect: () => {}, origins: [scene.api.origin, slow.origin] });
    const other = sendWith(client, { url: `${slow.origin}/` });
    await arrival.opened;
    const error = await errorOf(sendWith(client, { url: "/" }), "status 500");
    try {
      holdQuiet(error, "The call failed with status 500 while another one was in flight");
    } finally {
      answer.open();
      await other;
    }
  },
};

const usable: AdapterCase = {
  name: "leaves what the caller looks at in an error for a status",
  needs: ["statusErrors"],
  async run(scene) {
    scene.api.respond = () => ({ status: 500, body: '{"why":"because"}' });
    const call: Call = { url: "/x?y=1", read: "json" };
    const alone = await scene.send(call, { tokens: undefined });
    const { error, status, body } = await scene.send(call);
    hold(status === 500 && error !== undefined, "manners", "The client did not throw for a 500.");
    hold(JSON.stringify(body) === '{"why":"because"}', "manners", "The body of a 500 was not what was sent.");
    const [expected, views] = [viewsOf(alone.error), viewsOf(error)];
    for (const [index, name] of ["request", "response.request"].entries()) {
      if (typeof expected[index] !== "object") continue; // the client's errors have none
      const { method, url, status = 500 } = Object(views[index]) as Readonly<Record<string, unknown>>;
      const isView = method === "GET" && url === `${scene.api.origin}/x?y=1` && status === 500;
      hold(isView, "error", `The error's ${name} does not show the method, the URL and the status.`);
    }
  },
};

const viewsOf = (error: unknown): readonly unknown[] => {
  const { request, response } = Object(error) as { request?: unknown; response?: { request?: unknown } };
  return [request, response?.request];
};

export const errorCases: readonly AdapterCase[] = [...failures.map(failureCase), pooled, usable];
