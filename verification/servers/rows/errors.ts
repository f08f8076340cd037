/** Errors of popular clients, and of this library inside them. */
import { ALL, type ClientName, connect } from "../clients.ts";
import type { Packed } from "../packed.ts";
import type { Row } from "../row.ts";
import { clientRow } from "../through-clients.ts";

const errorWith = (properties: object): Error => Object.assign(new Error("from a client"), properties);

/** The 401s of popular clients. */
const REJECTED: Readonly<Record<string, () => unknown>> = {
  "status: 401": () => errorWith({ status: 401 }),
  "statusCode: 401": () => errorWith({ statusCode: 401 }),
  "response.status: 401": () => errorWith({ response: { status: 401 } }),
  "response.statusCode: 401": () => errorWith({ response: { statusCode: 401 } }),
  "code: 401 (Google, MCP)": () => errorWith({ code: 401 }),
  'code: "401"': () => errorWith({ code: "401" }),
  "data.httpStatus: 401 (tRPC)": () => errorWith({ data: { code: "UNAUTHORIZED", httpStatus: 401 } }),
  "$metadata.httpStatusCode: 401 (AWS)": () => errorWith({ $metadata: { httpStatusCode: 401 } }),
  "networkError.statusCode: 401 (Apollo)": () => errorWith({ networkError: errorWith({ statusCode: 401 }) }),
  "a cause with status: 401": () => new Error("outer", { cause: errorWith({ status: 401 }) }),
  "a suppressed error with status: 401": () =>
    errorWith({ error: new Error("close"), suppressed: errorWith({ status: 401 }) }),
};

/** Errors that are not about a session. */
const OTHERS: Readonly<Record<string, (packed: Packed) => unknown>> = {
  "status: 403 and code: 401": () => errorWith({ status: 403, code: 401 }),
  'code: "E401"': () => errorWith({ code: "E401" }),
  "a body with status 401 in a 500": () => errorWith({ status: 500, data: { status: 401 } }),
  "a RefreshFailedError whose cause is a 401": ({ core }) =>
    new core.RefreshFailedError(0, { cause: new core.TokenEndpointError({ status: 401, sent: true }) }),
  undefined: () => undefined,
};

const shapeRow = (name: string, create: (packed: Packed) => unknown, isAuth: boolean): Row => ({
  situation: `isAuthError: ${name}`,
  expected: { happened: `${isAuth}`, saw: /^authErrorOf: (none|REFRESH_FAILED)$/ },
  async run({ packed: { core }, packed }) {
    const error = create(packed);
    return { happened: `${core.isAuthError(error)}`, saw: `authErrorOf: ${core.authErrorOf(error)?.code ?? "none"}` };
  },
});

/** The clients that throw for a status. */
const THROWING: readonly ClientName[] = ["axios", "ofetch", "got"];

/** Returns the error that a request through a client throws. */
async function errorOf(
  name: ClientName,
  packed: Packed,
  call: { origin: string; tokens: Parameters<typeof connect>[2]["tokens"] },
) {
  const { origin, tokens } = call;
  const send = connect(name, packed, { tokens, origins: [origin] });
  return send({ url: `${origin}/` }).then(
    () => undefined,
    (error: unknown) => error,
  );
}

interface Classes {
  readonly situation: string;
  readonly copyOf: (packed: Packed) => Packed["axios"];
}

/** A row about the classes and the mock of one copy of axios. */
const axiosRow = ({ situation, copyOf }: Classes): Row => ({
  situation: `${situation}: a 500, a closed connection, config.headers, and mock.history of axios-mock-adapter`,
  expected: {
    happened: /^0 exchanges$/,
    saw: /^500: AxiosError true; closed: AxiosError true; headers: AxiosHeaders true; history: 1 with a token$/,
  },
  async run(scene) {
    const { api, packed } = scene;
    const axios = copyOf(packed);
    const { tokens } = await scene.session({ isUsable: true });
    const client = axios.create({ baseURL: api.origin });
    packed.forAxios.attachTokens(client, tokens);
    api.respond = ({ path }) => (path === "/closed" ? Promise.reject(new Error("closed")) : { status: 500 });
    const failed = async (url: string) => client.get(url).catch((error: unknown) => error instanceof axios.AxiosError);
    const classes = [`500: AxiosError ${await failed("/")}`, `closed: AxiosError ${await failed("/closed")}`];
    api.respond = () => ({ status: 200 });
    const { config } = await client.get("/");
    const mocked = axios.create({ baseURL: api.origin });
    const mock = new packed.MockAdapter(mocked as never);
    mock.onGet("/").reply(200);
    packed.forAxios.attachTokens(mocked, tokens);
    await mocked.get("/");
    const sent = mock.history.get?.map(({ headers }) => (headers?.Authorization ? "with a token" : "without a token"));
    const headers = `headers: AxiosHeaders ${config.headers instanceof axios.AxiosHeaders}`;
    return { happened: scene.exchanges, saw: [...classes, headers, `history: ${sent?.length} ${sent}`].join("; ") };
  },
});

export const errorRows: readonly Row[] = [
  ...Object.entries(REJECTED).map(([name, create]) => shapeRow(name, create, true)),
  ...Object.entries(OTHERS).map(([name, create]) => shapeRow(name, create, false)),
  clientRow({
    situation: "a 401 that is surfaced: isAuthError(error)",
    clients: THROWING,
    expected: { happened: /^token 1; 0 exchanges/, saw: /^isAuthError true, authErrorOf none \(axios, ofetch, got\)$/ },
    run: async ({ name, scene, session: { tokens } }) => {
      const { api, packed } = scene;
      api.respond = () => ({ status: 401, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } });
      const error = await errorOf(name, packed, { origin: api.origin, tokens });
      const { isAuthError, authErrorOf } = packed.core;
      return `isAuthError ${isAuthError(error)}, authErrorOf ${authErrorOf(error)?.code ?? "none"}`;
    },
  }),
  clientRow({
    situation: "the session has ended: isAuthError(error) and authErrorOf(error) of a client's error",
    clients: ALL,
    session: { isUsable: false },
    expected: {
      happened: /^nothing sent; 1 exchange \(all four\)$/,
      saw: /^isAuthError true, authErrorOf SIGN_IN_REQUIRED session_expired \(all four\)$/,
    },
    run: async ({ name, scene: { api, packed }, session: { server, tokens } }) => {
      server.next({ status: 400, body: { error: "invalid_grant" } });
      const error = await errorOf(name, packed, { origin: api.origin, tokens });
      const { isAuthError, authErrorOf } = packed.core;
      const own = authErrorOf(error);
      return `isAuthError ${isAuthError(error)}, authErrorOf ${own?.code} ${own?.code === "SIGN_IN_REQUIRED" ? own.reason : ""}`;
    },
  }),
  axiosRow({ situation: "axios in an ES module", copyOf: ({ axios }) => axios }),
  axiosRow({ situation: "axios in a CommonJS module", copyOf: ({ commonJsAxios }) => commonJsAxios }),
];
