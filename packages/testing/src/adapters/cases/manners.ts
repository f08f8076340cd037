import { inspect } from "node:util";
import { ConformanceError, hold, success } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import { accepting, type Received, type Responder, UNAUTHORIZED } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { caught, holdExchanges, holdSame, holdStatus, holdTokens, nameOf } from "./hold.ts";

const sameHeaders: AdapterCase = {
  name: "sends the caller's headers and query with both tries",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const headers = { "x-own": "1", accept: "text/x-own" };
    await scene.send({ method: "PUT", url: "/things", query: { page: "2" }, headers });
    const shown = ({ method, path, headers }: Received) => `${method} ${path} ${headers["x-own"]} ${headers.accept}`;
    const both = ["PUT /things?page=2 1 text/x-own", "PUT /things?page=2 1 text/x-own"];
    holdSame(api.received.map(shown), both, { clause: "manners", what: "Method, path and headers of the two tries" });
  },
};

const basePath: AdapterCase = {
  name: "joins base URL and path as the client does",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    await scene.send({ url: "/things" }, { baseURL: `${api.origin}/v1` });
    const paths = api.received.map(({ path }) => path);
    holdSame(paths, ["/v1/things", "/v1/things"], { clause: "manners", what: "The paths of the two tries" });
  },
};

const retries: AdapterCase = {
  name: "leaves the client's own retries as many as they are, also after a 401",
  needs: ["retries"],
  async run(scene) {
    const { api, session } = scene;
    const requests = async (tokens: typeof session.tokens | undefined) => {
      holdStatus(await scene.send({ url: "/" }, { tokens, retries: 2 }), 503, "manners");
      return api.received.splice(0).length;
    };
    api.respond = () => ({ status: 503 });
    const alone = await requests(undefined);
    hold(alone === 3, "manners", `The client alone, told to retry twice, sent ${alone} requests.`);
    const together = await requests(session.tokens);
    hold(together === alone, "manners", `The client sends ${alone} requests alone, and ${together} with the adapter.`);
    const old = `Bearer ${session.accessToken(1)}`;
    api.respond = ({ authorization }) => (authorization === old ? UNAUTHORIZED : { status: 503 });
    const after = await requests(session.tokens);
    hold(
      after === 1 + alone,
      "manners",
      `After a 401 there were ${after - 1} requests, and not ${alone} as without one.`,
    );
  },
};

const hooks: AdapterCase = {
  name: "runs the caller's hooks, before and after the adapter's, as often as the client does",
  needs: ["hooks"],
  async run(scene) {
    const { api, session } = scene;
    const events: string[] = [];
    api.respond = accepting(session.accessToken(2));
    holdStatus(await scene.send({ url: "/" }, { onHook: (event) => events.push(event) }), 200, "manners");
    holdSame(events, scene.harness.hooks ?? [], { clause: "manners", what: "The hooks that ran" });
  },
};

const defaults: AdapterCase = {
  name: "leaves the instance's defaults as they are",
  needs: ["defaults"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect();
    const shown = () => inspect(client.defaults, { depth: 6, showHidden: true });
    const before = shown();
    api.respond = accepting(session.accessToken(2));
    await sendWith(client, { url: "/" });
    api.respond = () => ({ status: 500 });
    await sendWith(client, { url: "/" });
    hold(shown() === before, "instance", "The instance's defaults were others after two requests.");
    hold(!shown().includes(CANARY), "instance", "The instance's defaults show a token.");
  },
};

const detached: AdapterCase = {
  name: "can be taken off the client, and put on again",
  needs: ["detach"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect();
    client.detach?.();
    api.respond = () => UNAUTHORIZED;
    holdStatus(await sendWith(client, { url: "/" }), 401, "instance");
    holdTokens(api, [undefined], "instance");
    holdExchanges(session, 0, "instance");
    client.attach?.();
    api.respond = accepting(session.accessToken(2));
    holdStatus(await sendWith(client, { url: "/" }), 200, "instance");
    holdTokens(api, [undefined, session.accessToken(1), session.accessToken(2)], "instance");
  },
};

const timeout: AdapterCase = {
  name: "leaves the client's timeout in force, also for the second try",
  needs: ["timeout"],
  async run(scene) {
    const { api } = scene;
    const answer = createGate();
    api.respond = async (received, index) => {
      if (index > 0) await answer.opened;
      return accepting()(received);
    };
    const what = "Nothing answered the second try within the client's timeout";
    const error = await caught(scene.send({ url: "/", timeout: 2_000 }), { clause: "manners", what });
    answer.open();
    const isOwn = scene.harness.isTimeout(error);
    hold(isOwn, "manners", `${what}, and the call threw ${nameOf(error)}, which is not the client's own error.`);
    hold(api.received.length === 2, "manners", `There were ${api.received.length} tries until the client's timeout.`);
  },
};

const agent: AdapterCase = {
  name: "sends both tries through the caller's own transport",
  needs: ["agent"],
  async run(scene) {
    const { api, session } = scene;
    let carried = 0;
    api.respond = accepting(session.accessToken(2));
    holdStatus(await scene.send({ url: "/" }, { onConnect: () => carried++ }), 200, "manners");
    hold(carried === 2, "manners", `Of the two tries the caller's own transport carried ${carried}.`);
  },
};

const proxy: AdapterCase = {
  name: "sends both tries through the caller's proxy",
  needs: ["proxy"],
  async run(scene) {
    const { api, session } = scene;
    const { url } = await scene.proxy();
    const origin = "http://api.invalid"; // only the proxy knows it
    api.respond = accepting(session.accessToken(2));
    const call = scene.send({ url: "/" }, { proxy: url, baseURL: origin, origins: [origin] });
    holdStatus(await success(call, "manners", "A call to a host that only the caller's proxy knows"), 200, "manners");
    holdTokens(api, [session.accessToken(1), session.accessToken(2)], "manners");
  },
};

const LONG = `"${"long ".repeat(100_000)}"`;
const OTHER = LONG.replaceAll("long", "late");

/** `OTHER` to the first try, `LONG` to the second. */
const long =
  ({ session }: AdapterScene): Responder =>
  (received) => {
    const reply = accepting(session.accessToken(2))(received);
    return { ...reply, body: reply.status === 200 ? LONG : OTHER };
  };

/** What is asked for, how the server's `LONG` looks then, and how to compare it. */
const readings = [
  ["text", (body: unknown) => body === LONG],
  ["json", (body: unknown) => `"${body}"` === LONG],
  ["bytes", (body: unknown) => typeof body === "object" && Buffer.from(body as Uint8Array).toString() === LONG],
] as const;

const readCase = ([read, isRight]: (typeof readings)[number]): AdapterCase => ({
  name: `hands out the response of the second try: ${read}`,
  async run(scene) {
    scene.api.respond = long(scene);
    const { status, body } = await scene.send({ url: "/", read });
    hold(
      status === 200 && isRight(body),
      "manners",
      `The body of a retried request, read as ${read}, was not what was sent.`,
    );
  },
});

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const streamed: AdapterCase = {
  name: "hands out the response of the second try: stream",
  needs: ["stream"],
  async run(scene) {
    scene.api.respond = long(scene);
    const { body } = await scene.send({ url: "/", read: "stream" });
    const text = await success(textOf(body as AsyncIterable<Uint8Array>), "manners", "Reading the retry's stream");
    hold(text === LONG, "manners", "The streamed body of a retried request was not what was sent.");
  },
};

const refusal: AdapterCase = {
  name: "hands out the body of the second 401",
  async run(scene) {
    scene.api.respond = (_, index) => ({ ...UNAUTHORIZED, body: `{"try":${index + 1}}` });
    const { body } = await scene.send({ url: "/", read: "json" });
    const isRight = JSON.stringify(body) === '{"try":2}';
    if (!isRight)
      throw new ConformanceError("manners", "The body of the 401 that the caller got was not what was sent.");
  },
};

export const mannersCases: readonly AdapterCase[] = [
  sameHeaders,
  basePath,
  retries,
  hooks,
  defaults,
  detached,
  timeout,
  agent,
  proxy,
  ...readings.map(readCase),
  streamed,
  refusal,
];
