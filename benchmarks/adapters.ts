/**
 * Measures the processor time that an adapter adds to a request, beside that of an interceptor that is written by hand and
 * does less, and beside the bare client twice.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { Agent, type AgentOptions } from "node:http";
import { Duplex } from "node:stream";
import { parseArgs } from "node:util";
import { attachTokens } from "@unexpired/adapter-axios";
import { withTokens as gotWithTokens } from "@unexpired/adapter-got";
import { withTokens as ofetchWithTokens } from "@unexpired/adapter-ofetch";
import { createFetch, createTokenManager } from "@unexpired/core";
import axios, { type AxiosAdapter, type AxiosInstance, type AxiosRequestConfig } from "axios";
import got from "got";
import { type FetchOptions, ofetch } from "ofetch";
import { attachByHand, fetchByHand, gotByHand, ofetchByHand } from "./by-hand.ts";

const { values } = parseArgs({
  options: {
    /** How often the processes are started anew, because each one's compiler decides differently. */
    starts: { type: "string", default: "3" },
    rounds: { type: "string", default: "15" },
    /** Requests of a round, of each of the four. */
    requests: { type: "string", default: "2000" },
    /** Measures one way to send requests, whenever the parent process asks for a round. */
    way: { type: "string" },
    row: { type: "string" },
    origin: { type: "string" },
  },
});
const CONCURRENT = 20;
/** How long a process sends requests that are not counted, in milliseconds: until its code is compiled. */
const WARM_UP = 3_000;
const BODY = '{"ok":true}';

type Send = (url: string) => Promise<unknown>;

/** A client three times: alone, with an interceptor that is written by hand, and with the adapter. */
type Contenders = (origin: string) => { readonly bare: Send; readonly byHand: Send; readonly adapted: Send };

const tokens = createTokenManager();
await tokens.signIn({ accessToken: "valid", expiresAt: Date.now() + 3_600_000 });

const fetchContenders =
  (send: typeof fetch): Contenders =>
  (origin) => {
    const read = (by: typeof fetch) => async (url: string) => (await by(url)).text();
    const adapted = createFetch(tokens, { origins: [origin], fetch: send });
    return { bare: read(send), byHand: read(fetchByHand(tokens, origin, send)), adapted: read(adapted) };
  };

const axiosContenders =
  (transport: AxiosRequestConfig = {}): Contenders =>
  (baseURL) => {
    const create = (attach: (client: AxiosInstance) => unknown): Send => {
      const client = axios.create({ baseURL, ...transport });
      attach(client);
      return (url) => client.get(url);
    };
    return {
      bare: create(() => {}),
      byHand: create((client) => attachByHand(client, tokens, baseURL)),
      adapted: create((client) => attachTokens(client, tokens)),
    };
  };

const ofetchContenders =
  (send: typeof fetch): Contenders =>
  (baseURL) => {
    const create = (options: FetchOptions): Send => ofetch.create(options, { fetch: send });
    return {
      bare: create({ baseURL }),
      byHand: create({ baseURL, ...ofetchByHand(tokens, baseURL) }),
      adapted: create(ofetchWithTokens(tokens, { baseURL })),
    };
  };

const gotContenders =
  (makeAgent?: () => Agent): Contenders =>
  (origin) => {
    const instance = got.extend({ retry: { limit: 0 }, ...(makeAgent && { agent: { http: makeAgent() } }) });
    return {
      bare: instance.extend({}), // extended once more, like the others
      byHand: instance.extend(gotByHand(tokens, origin)),
      adapted: instance.extend(gotWithTokens(tokens, { origins: [origin] })),
    };
  };

const stubFetch: typeof fetch = async () => new Response(BODY, { headers: { "content-type": "application/json" } });
const stubAdapter: AxiosAdapter = async (config) => ({
  data: BODY,
  status: 200,
  statusText: "OK",
  headers: {},
  config,
});

/** got has no seam below its hooks but the connection itself. */
class StubAgent extends Agent {
  override createConnection(_: AgentOptions): Duplex {
    const response = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`;
    const socket = new Duplex({
      read() {},
      write(_chunk, _encoding, done) {
        socket.push(response);
        done();
      },
    });
    const idle = () => socket;
    return Object.assign(socket, { setKeepAlive: idle, setNoDelay: idle, setTimeout: idle, ref: idle, unref: idle });
  }
}

/** Microseconds of processor time for a request. */
async function work(send: Send, url: string): Promise<number> {
  const requests = Number(values.requests);
  let sent = 0;
  const one = async () => {
    while (sent++ < requests) await send(url);
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: CONCURRENT }, one));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / requests;
}

const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;

/** The ways to send a request, of which the bare client comes twice. */
const WAYS = ["bare", "byHand", "adapted", "again"] as const;
type Way = (typeof WAYS)[number];

/** Starts a process for one way: a program has one client, and V8 specializes shared code for its caller. */
const start = (way: Way, row: number, origin: string): ChildProcess =>
  fork(new URL(import.meta.url), [
    ...["--way", way, "--row", String(row), "--origin", origin],
    ...["--requests", values.requests],
  ]);

type Request = "warm up" | "round";

async function ask(child: ChildProcess, request: Request): Promise<number> {
  child.send(request);
  const [figure] = (await once(child, "message")) as [number];
  return figure;
}

/** Returns the median of each way over the rounds of one start. */
async function runRounds(row: number, origin: string): Promise<Record<Way, number>> {
  const children = WAYS.map((way) => [way, start(way, row, origin)] as const);
  const figures: Record<Way, number[]> = { bare: [], byHand: [], adapted: [], again: [] };
  for (const [, child] of children) await ask(child, "warm up");
  for (let round = 0; round < Number(values.rounds); round++) {
    for (let turn = 0; turn < children.length; turn++) {
      const [way, child] = children[(turn + round) % children.length] as (typeof children)[number]; // each comes first as often
      figures[way].push(await ask(child, "round"));
    }
  }
  for (const [, child] of children) child.disconnect();
  return Object.fromEntries(WAYS.map((way) => [way, median(figures[way])])) as Record<Way, number>;
}

async function compare(row: number, origin: string) {
  const starts: Record<Way, number>[] = [];
  for (let each = 0; each < Number(values.starts); each++) starts.push(await runRounds(row, origin));
  const addedBy = (way: Way) => median(starts.map((figures) => figures[way] - figures.bare));
  const [byHand, adapted] = [addedBy("byHand"), addedBy("adapted")];
  return {
    "bare, µs": median(starts.map(({ bare }) => bare)).toFixed(0),
    "noise, µs": addedBy("again").toFixed(1),
    "added by hand, µs": byHand.toFixed(1),
    "added by the adapter, µs": adapted.toFixed(1),
    "adapter ÷ by hand": byHand > 0 ? (adapted / byHand).toFixed(2) : "",
  };
}

type Row = readonly [client: string, transport: "stubbed" | "stubbed fetch" | "loopback", Contenders];

const rows: readonly Row[] = [
  ["fetch", "stubbed", fetchContenders(stubFetch)],
  ["axios", "stubbed", axiosContenders({ adapter: stubAdapter })],
  ["axios", "stubbed fetch", axiosContenders({ adapter: "fetch", env: { fetch: stubFetch } })],
  ["ofetch", "stubbed", ofetchContenders(stubFetch)],
  ["got", "stubbed", gotContenders(() => new StubAgent({ keepAlive: true }))],
  ["fetch", "loopback", fetchContenders(fetch)],
  ["axios", "loopback", axiosContenders()],
  ["ofetch", "loopback", ofetchContenders(fetch)],
  ["got", "loopback", gotContenders()],
];

async function measure(row: number, [client, transport]: Row) {
  if (transport !== "loopback") return { client, transport, ...(await compare(row, "http://localhost:9")) };
  const server = fork(new URL("./loopback-server.ts", import.meta.url), { execArgv: [] });
  const [port] = (await once(server, "message")) as [number];
  const figures = await compare(row, `http://127.0.0.1:${port}`);
  server.disconnect();
  return { client, transport, ...figures };
}

/** Warms up, and runs a round, whenever the parent process asks for that. */
function serve(way: Way, [, , contenders]: Row, origin: string): void {
  const { bare, byHand, adapted } = contenders(origin);
  const send = { bare, byHand, adapted, again: bare }[way];
  process.on("message", async (request: Request) => {
    const until = performance.now() + (request === "warm up" ? WARM_UP : 0);
    let figure: number;
    do figure = await work(send, `${origin}/things`);
    while (performance.now() < until);
    process.send?.(figure);
  });
}

const row = rows[Number(values.row)];
if (row && values.way) serve(values.way as Way, row, values.origin ?? "");
else {
  const table = [];
  for (const [index, each] of rows.entries()) table.push(await measure(index, each));
  console.table(table);
  await tokens.close();
}
