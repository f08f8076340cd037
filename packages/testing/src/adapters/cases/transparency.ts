import { inspect } from "node:util";
import { ConformanceError, expectSuccess, expectThat } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import { accepting, type Received, type Responder, UNAUTHORIZED } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { describeError, expectExchanges, expectFailure, expectSame, expectStatus, expectTokens } from "./expect.ts";

const sameHeaders: AdapterCase = {
  name: "sends the caller's headers and query on both attempts",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const headers = { "x-own": "1", accept: "text/x-own" };
    await scene.send({ method: "PUT", url: "/things", query: { page: "2" }, headers });
    const shown = ({ method, path, headers }: Received) => `${method} ${path} ${headers["x-own"]} ${headers.accept}`;
    const both = ["PUT /things?page=2 1 text/x-own", "PUT /things?page=2 1 text/x-own"];
    expectSame(api.received.map(shown), both, {
      clause: "transparency",
      what: "Method, path and headers of the two attempts",
    });
  },
};

const basePath: AdapterCase = {
  name: "joins the base URL and the path as the client does",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    await scene.send({ url: "/things" }, { baseURL: `${api.origin}/v1` });
    const paths = api.received.map(({ path }) => path);
    expectSame(paths, ["/v1/things", "/v1/things"], { clause: "transparency", what: "The paths of the two attempts" });
  },
};

const retries: AdapterCase = {
  name: "does not change the number of the client's own retries, even after a 401",
  needs: ["retries"],
  async run(scene) {
    const { api, session } = scene;
    const requests = async (tokens: typeof session.tokens | undefined) => {
      expectStatus(await scene.send({ url: "/" }, { tokens, retries: 2 }), 503, "transparency");
      return api.received.splice(0).length;
    };
    api.respond = () => ({ status: 503 });
    const alone = await requests(undefined);
    expectThat(
      alone === 3,
      "transparency",
      `The client without the adapter, configured to retry twice, sent ${alone} requests.`,
    );
    const together = await requests(session.tokens);
    expectThat(
      together === alone,
      "transparency",
      `The client sends ${alone} requests without the adapter, but ${together} with it.`,
    );
    const old = `Bearer ${session.accessToken(1)}`;
    api.respond = ({ authorization }) => (authorization === old ? UNAUTHORIZED : { status: 503 });
    const after = await requests(session.tokens);
    expectThat(
      after === 1 + alone,
      "transparency",
      `After a 401, the client sent ${after - 1} requests instead of ${alone}.`,
    );
  },
};

const hooks: AdapterCase = {
  name: "runs the caller's hooks as often as the client documents",
  needs: ["hooks"],
  async run(scene) {
    const { api, session } = scene;
    const events: string[] = [];
    api.respond = accepting(session.accessToken(2));
    expectStatus(await scene.send({ url: "/" }, { onHook: (event) => events.push(event) }), 200, "transparency");
    expectSame(events, scene.harness.hooks ?? [], { clause: "transparency", what: "The hooks that ran" });
  },
};

const defaults: AdapterCase = {
  name: "leaves the instance's defaults unchanged",
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
    expectThat(shown() === before, "instance", "The instance's defaults changed after two requests.");
    expectThat(!shown().includes(CANARY), "instance", "The instance's defaults show a token.");
  },
};

const detached: AdapterCase = {
  name: "can be detached from the client and attached again",
  needs: ["detach"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect();
    client.detach?.();
    api.respond = () => UNAUTHORIZED;
    expectStatus(await sendWith(client, { url: "/" }), 401, "instance");
    expectTokens(api, [undefined], "instance");
    expectExchanges(session, 0, "instance");
    client.attach?.();
    api.respond = accepting(session.accessToken(2));
    expectStatus(await sendWith(client, { url: "/" }), 200, "instance");
    expectTokens(api, [undefined, session.accessToken(1), session.accessToken(2)], "instance");
  },
};

const timeout: AdapterCase = {
  name: "enforces the client's timeout, even on the retry",
  needs: ["timeout"],
  async run(scene) {
    const { api } = scene;
    const responseGate = createGate();
    api.respond = async (received, index) => {
      if (index > 0) await responseGate.opened;
      return accepting()(received);
    };
    const what = "The server did not respond to the retry within the client's timeout";
    const error = await expectFailure(scene.send({ url: "/", timeout: 2_000 }), { clause: "transparency", what });
    responseGate.open();
    const isOwn = scene.harness.isTimeout(error);
    expectThat(
      isOwn,
      "transparency",
      `${what}, but the call threw ${describeError(error)}, which is not the client's own error.`,
    );
    expectThat(
      api.received.length === 2,
      "transparency",
      `The server received ${api.received.length} requests before the client's timeout.`,
    );
  },
};

const agent: AdapterCase = {
  name: "sends both attempts through the caller's own transport",
  needs: ["agent"],
  async run(scene) {
    const { api, session } = scene;
    let carried = 0;
    api.respond = accepting(session.accessToken(2));
    expectStatus(await scene.send({ url: "/" }, { onConnect: () => carried++ }), 200, "transparency");
    expectThat(carried === 2, "transparency", `The caller's own transport carried ${carried} of the two attempts.`);
  },
};

const proxy: AdapterCase = {
  name: "sends both attempts through the caller's proxy",
  needs: ["proxy"],
  async run(scene) {
    const { api, session } = scene;
    const { url } = await scene.proxy();
    const origin = "http://127.0.0.2"; // only the proxy can reach it
    api.respond = accepting(session.accessToken(2));
    const call = scene.send({ url: "/" }, { proxy: url, baseURL: origin, origins: [origin] });
    expectStatus(
      await expectSuccess(call, "transparency", "A call to a host that only the caller's proxy knows"),
      200,
      "transparency",
    );
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "transparency");
  },
};

const LONG = `"${"long ".repeat(100_000)}"`;
const OTHER = LONG.replaceAll("long", "late");

/** Responds with `OTHER` to the first attempt and with `LONG` to the retry. */
const long =
  ({ session }: AdapterScene): Responder =>
  (received) => {
    const reply = accepting(session.accessToken(2))(received);
    return { ...reply, body: reply.status === 200 ? LONG : OTHER };
  };

/** The ways to read a response, each with a check that the result is the server's `LONG`. */
const readings = [
  ["text", (body: unknown) => body === LONG],
  ["json", (body: unknown) => `"${body}"` === LONG],
  ["bytes", (body: unknown) => typeof body === "object" && Buffer.from(body as Uint8Array).toString() === LONG],
] as const;

const readCase = ([read, isRight]: (typeof readings)[number]): AdapterCase => ({
  name: `returns the response to the retry, read as ${read}`,
  async run(scene) {
    scene.api.respond = long(scene);
    const { status, body } = await scene.send({ url: "/", read });
    expectThat(
      status === 200 && isRight(body),
      "transparency",
      `The body of a retried request, read as ${read}, differs from what the server sent.`,
    );
  },
});

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const streamed: AdapterCase = {
  name: "returns the response to the retry, read as stream",
  needs: ["stream"],
  async run(scene) {
    scene.api.respond = long(scene);
    const { body } = await scene.send({ url: "/", read: "stream" });
    const text = await expectSuccess(
      textOf(body as AsyncIterable<Uint8Array>),
      "transparency",
      "Reading the retry's stream",
    );
    expectThat(
      text === LONG,
      "transparency",
      "The streamed body of a retried request differs from what the server sent.",
    );
  },
};

const refusal: AdapterCase = {
  name: "returns the body of the second 401",
  async run(scene) {
    scene.api.respond = (_, index) => ({ ...UNAUTHORIZED, body: `{"try":${index + 1}}` });
    const { body } = await scene.send({ url: "/", read: "json" });
    const isRight = JSON.stringify(body) === '{"try":2}';
    if (!isRight)
      throw new ConformanceError(
        "transparency",
        "The body of the 401 that the caller got differs from what the server sent.",
      );
  },
};

export const transparencyCases: readonly AdapterCase[] = [
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
