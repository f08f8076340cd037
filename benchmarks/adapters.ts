/**
 * Measures the processor time that an adapter adds to a request, beside that of an interceptor that is written by hand and
 * does less, and beside the bare client twice.
 */
import { fork } from "node:child_process";
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
    rounds: { type: "string", default: "41" },
    /** Requests of a round, of each of the four. */
    requests: { type: "string", default: "2000" },
    /** Measures only the row with this index, and passes it to the parent process. */
    row: { type: "string" },
  },
});
const CONCURRENT = 20;
/** Rounds that are not counted. */
const WARM_UP = 4;
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
    const bare = got.extend({ retry: { limit: 0 }, ...(makeAgent && { agent: { http: makeAgent() } }) });
    return {
      bare,
      byHand: bare.extend(gotByHand(tokens, origin)),
      adapted: bare.extend(gotWithTokens(tokens, { origins: [origin] })),
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

async function compare(contenders: Contenders, origin: string) {
  const { bare, byHand, adapted } = contenders(origin);
  const ways = { bare, byHand, adapted, again: bare };
  const figures = { bare: [] as number[], byHand: [] as number[], adapted: [] as number[], again: [] as number[] };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  for (let round = -WARM_UP; round < Number(values.rounds); round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round + WARM_UP) % names.length] ?? "bare"; // each comes first as often
      const figure = await work(ways[name], `${origin}/things`);
      if (round >= 0) figures[name].push(figure);
    }
  }
  const addedBy = (name: keyof typeof ways) =>
    median(figures[name].map((figure, round) => figure - (figures.bare[round] ?? Number.NaN)));
  return {
    "bare, µs": median(figures.bare).toFixed(0),
    "noise, µs": addedBy("again").toFixed(1),
    "added by hand, µs": addedBy("byHand").toFixed(1),
    "added by the adapter, µs": addedBy("adapted").toFixed(1),
    "adapter ÷ by hand": (addedBy("adapted") / addedBy("byHand")).toFixed(2),
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

async function measure([client, transport, contenders]: Row) {
  if (transport !== "loopback") return { client, transport, ...(await compare(contenders, "http://localhost:9")) };
  const server = fork(new URL("./loopback-server.ts", import.meta.url), { execArgv: [] });
  const [port] = (await once(server, "message")) as [number];
  const figures = await compare(contenders, `http://127.0.0.1:${port}`);
  server.disconnect();
  return { client, transport, ...figures };
}

/** Measures a row in a process of its own, as in a program with one client: V8 specializes shared code for its caller. */
async function measureApart(index: number): Promise<unknown> {
  const child = fork(new URL(import.meta.url), [...process.argv.slice(2), "--row", String(index)]);
  const [row] = await once(child, "message");
  return row;
}

const row = values.row && rows[Number(values.row)];
if (row) {
  process.send?.(await measure(row));
  process.disconnect();
} else {
  const table = [];
  for (const index of rows.keys()) table.push(await measureApart(index));
  console.table(table);
}
await tokens.close();
