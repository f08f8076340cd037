/** Options of a single request: perRequest, its own Host header, and where it is connected to. */

import { once } from "node:events";
import { Agent, createServer } from "node:http";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import type { ResourceServer } from "@unexpired/testing";
import createClient from "openapi-fetch";
import { ALL, type ClientName, type ClientRequest, connect } from "../clients.ts";
import { describeMessage, outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { type Connected, clientRow } from "../through-clients.ts";

/** A server that a request is led to. */
interface Elsewhere {
  readonly origin: string;
  readonly socketPath: string;
  /** The requests that arrived there. */
  readonly tokens: string[];
}

/** Starts another server, on a port and on a socket. */
async function startElsewhere(scene: Scene): Promise<Elsewhere> {
  const other: ResourceServer = await scene.packed.testing.startResourceServer();
  scene.atEnd(() => other[Symbol.asyncDispose]());
  const tokens: string[] = [];
  const note = (authorization: string | undefined) =>
    void tokens.push(authorization ? "with a token" : "without a token");
  other.respond = ({ authorization }) => {
    note(authorization);
    return { status: 200 };
  };
  const socketPath = join(scene.directory, `${Math.random().toString(36).slice(2)}.sock`);
  const server = createServer((request, response) => {
    note(request.headers.authorization);
    response.end("{}");
  }).listen(socketPath);
  await once(server, "listening");
  scene.atEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: other.origin, socketPath, tokens };
}

type Detour = (elsewhere: Elsewhere) => Partial<ClientRequest>;

const agentTo = ({ origin }: Elsewhere) => {
  const { hostname: host, port } = new URL(origin);
  return new Agent({ host, port: Number(port) } as object);
};

/** A row about an option of a request that leads it elsewhere. */
const detour = (situation: string, clients: readonly ClientName[], toOptions: Detour): Row =>
  clientRow({
    situation: `${situation} leads to another server`,
    clients,
    expected: {
      happened: /^(nothing sent|token \d); 0 exchanges \([^:]*\)$/,
      saw: /^200, arrived there: without a token; the next call: 200 \([^:]*\)$/,
    },
    run: async (client) => {
      const elsewhere = await startElsewhere(client.scene);
      const status = await client.send(toOptions(elsewhere));
      const next = await client.send();
      return `${status}, arrived there: ${elsewhere.tokens.join() || "nothing"}; the next call: ${next}`;
    },
  });

const hosted = (clients: readonly ClientName[]): Row =>
  clientRow({
    situation: "a request with a Host header of its own, which names another host",
    clients,
    expected: { happened: /^no token, token 1; 0 exchanges/, saw: /^200, then 200 \(/ },
    run: async ({ send }) => `${await send({ headers: { host: "other-tenant.example" } })}, then ${await send()}`,
  });

const withoutToken: Row = clientRow({
  situation: "perRequest({ tokens: false }), and a 401",
  expected: { happened: /^no token, token 1; 0 exchanges \(all four\)$/, saw: /^401, then 200 \(all four\)$/ },
  run: async ({ scene, send }) => {
    scene.api.respond = ({ authorization }) => ({ status: authorization ? 200 : 401 });
    return `${await send({ perRequest: { tokens: false } })}, then ${await send()}`;
  },
});

/** A row about perRequest and a Request of createFetch. */
const throughRequest = (
  situation: string,
  saw: RegExp | string,
  run: (scene: Scene, fetch: typeof globalThis.fetch) => Promise<string>,
): Row => ({
  situation,
  expected: { happened: /^(no token|nothing sent)$/, saw },
  async run(scene) {
    const { origin } = scene.api;
    const { tokens } = await scene.session({ isUsable: true });
    const result = await run(scene, scene.packed.core.createFetch(tokens, { origins: [origin] }));
    const sent = scene.api.received.map(({ authorization }) => (authorization ? "a token" : "no token"));
    return { happened: sent.join(", ") || "nothing sent", saw: result };
  },
});

const requestRows: readonly Row[] = [
  throughRequest(
    "perRequest({ tokens: false }) through openapi-fetch, which passes only a Request",
    "200",
    async (scene, fetch) => {
      const client = createClient<{ "/me": { get: { responses: never } } }>({ baseUrl: scene.api.origin, fetch });
      const { response } = await client.GET("/me", { ...scene.packed.core.perRequest({ tokens: false }) });
      return String(response.status);
    },
  ),
  throughRequest("perRequest({ tokens: false }) that is assigned to a Request", "200", async (scene, fetch) => {
    const request = Object.assign(new Request(scene.api.origin), scene.packed.core.perRequest({ tokens: false }));
    return String((await fetch(request)).status);
  }),
  throughRequest("new Request(url, perRequest({ tokens: false }))", /^TypeError: /, (scene, fetch) => {
    const create = async () => fetch(new Request(scene.api.origin, scene.packed.core.perRequest({ tokens: false })));
    return outcome(create(), describeMessage);
  }),
];

const NODE: readonly ClientName[] = ["axios", "got"];

/** Origins that come from a polluted prototype, while `run` runs. */
async function polluted<T>(properties: object, run: () => Promise<T>): Promise<T> {
  Object.assign(Object.prototype, properties);
  try {
    return await run();
  } finally {
    for (const name of Object.keys(properties)) Reflect.deleteProperty(Object.prototype, name);
  }
}

const pollution: Row = clientRow({
  situation: "Object.prototype.origins and .allowInsecure are polluted",
  expected: {
    happened: /^nothing sent; 0 exchanges \(all four\)$/,
    saw: /^createFetch: refused, received there: nothing; axios: 200, received there: no token; ofetch: 200, received there: no token; got: refused, received there: nothing$/,
  },
  run: async ({ name, scene, session }: Connected) => {
    const other = await scene.packed.testing.startResourceServer();
    scene.atEnd(() => other[Symbol.asyncDispose]());
    const setup = { tokens: session.tokens, baseURL: scene.api.origin };
    const status = await polluted({ origins: [other.origin], allowInsecure: true }, async () =>
      connect(name, scene.packed, setup)({ url: `${other.origin}/` }),
    ).catch((error: Error) => (error instanceof TypeError ? "refused" : String(error)));
    const there = other.received.map(({ authorization }) => (authorization ? "a token" : "no token"));
    return `${status}, received there: ${there.join() || "nothing"}`;
  },
});

/** Attaches the tokens to a plain http origin beyond this machine, without sending anything. */
const insecure = (allowInsecure: boolean): Row =>
  clientRow({
    situation: `origins: ["http://api.internal:8080"], ${allowInsecure ? "with" : "without"} allowInsecure`,
    expected: {
      happened: /^nothing sent; 0 exchanges \(all four\)$/,
      saw: allowInsecure ? /^accepted \(all four\)$/ : /^TypeError: .*allowInsecure: true.* \(all four\)$/,
    },
    run: async ({ name, scene, session }) => {
      const origins = ["http://api.internal:8080"];
      const attach = async () => connect(name, scene.packed, { tokens: session.tokens, origins, allowInsecure });
      return attach().then(() => "accepted", describeMessage);
    },
  });

export const requestOptionRows: readonly Row[] = [
  withoutToken,
  ...requestRows,
  hosted(ALL),
  detour("an agent of its own with another host", NODE, (elsewhere) => ({ agent: agentTo(elsewhere) })),
  detour("an agent of its own with a socketPath", NODE, ({ socketPath }) => ({
    agent: new Agent({ socketPath } as object),
  })),
  detour("a proxy of its own", ["axios"], ({ origin }) => {
    const { hostname, port } = new URL(origin);
    return { more: { proxy: { host: hostname, port: Number(port) } } };
  }),
  detour("a socketPath of its own", ["axios"], ({ socketPath }) => ({ more: { socketPath } })),
  detour("createConnection", ["got"], ({ socketPath }) => ({
    more: { createConnection: () => connectSocket(socketPath) },
  })),
  pollution,
  insecure(false),
  insecure(true),
];
