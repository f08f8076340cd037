/** Measures the processor time that an adapter adds to a request, next to the bare client, and that next to itself. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, type AgentOptions } from "node:http";
import { Duplex } from "node:stream";
import { parseArgs } from "node:util";
import { attachTokens } from "@unexpired/adapter-axios";
import { withTokens as gotWithTokens } from "@unexpired/adapter-got";
import { withTokens as ofetchWithTokens } from "@unexpired/adapter-ofetch";
import { createFetch, createTokenManager } from "@unexpired/core";
import axios, { type AxiosAdapter } from "axios";
import got from "got";
import { ofetch } from "ofetch";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    /** Requests of a round, of each of the three. */
    requests: { type: "string", default: "2000" },
  },
});
const CONCURRENT = 20;
const BODY = '{"ok":true}';

type Send = (url: string) => Promise<unknown>;

/** A client twice: alone, and with the adapter. */
type Pair = (origin: string) => readonly [bare: Send, adapted: Send];

const tokens = createTokenManager();
await tokens.signIn({ accessToken: "valid", expiresAt: Date.now() + 3_600_000 });

const fetchPair =
  (send: typeof fetch): Pair =>
  (origin) => {
    const adapted = createFetch(tokens, { origins: [origin], fetch: send });
    const read = (by: typeof fetch) => async (url: string) => (await by(url)).text();
    return [read(send), read(adapted)];
  };

const axiosPair =
  (adapter?: AxiosAdapter): Pair =>
  (baseURL) => {
    const [bare, adapted] = [0, 1].map(() => axios.create({ baseURL, ...(adapter && { adapter }) }));
    if (!bare || !adapted) throw new TypeError("there are two");
    attachTokens(adapted, tokens);
    return [(url) => bare.get(url), (url) => adapted.get(url)];
  };

const ofetchPair =
  (send: typeof fetch): Pair =>
  (baseURL) => [
    ofetch.create({ baseURL }, { fetch: send }),
    ofetch.create(ofetchWithTokens(tokens, { baseURL }), { fetch: send }),
  ];

const gotPair =
  (makeAgent?: () => Agent): Pair =>
  (origin) => {
    const bare = got.extend({ retry: { limit: 0 }, ...(makeAgent && { agent: { http: makeAgent() } }) });
    const adapted = bare.extend(gotWithTokens(tokens, { origins: [origin] }));
    return [(url) => bare(url), (url) => adapted(url)];
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

async function compare(pair: Pair, origin: string) {
  const [bare, adapted] = pair(origin);
  const ways = { bare, adapted, again: bare };
  const figures = { bare: [] as number[], adapted: [] as number[], again: [] as number[] };
  const names = Object.keys(ways) as (keyof typeof ways)[];
  for (let round = -1; round < Number(values.rounds); round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round + names.length) % names.length] ?? "bare"; // each comes first as often
      const figure = await work(ways[name], `${origin}/things`);
      if (round >= 0) figures[name].push(figure); // the first round warms up
    }
  }
  const ratios = (list: readonly number[]) => list.map((figure, round) => figure / (figures.bare[round] ?? Number.NaN));
  return {
    "bare, µs": median(figures.bare).toFixed(0),
    "added, µs": (median(figures.adapted) - median(figures.bare)).toFixed(1),
    "with the adapter ÷ bare": median(ratios(figures.adapted)).toFixed(2),
    "bare again ÷ bare": median(ratios(figures.again)).toFixed(2),
  };
}

const server = fork(new URL("./loopback-server.ts", import.meta.url));
const [port] = (await once(server, "message")) as [number];
const loopback = `http://127.0.0.1:${port}`;
const stubbed = "http://stub.invalid";

const rows: readonly (readonly [client: string, transport: string, Pair, origin: string])[] = [
  ["fetch", "stubbed", fetchPair(stubFetch), stubbed],
  ["axios", "stubbed", axiosPair(stubAdapter), stubbed],
  ["ofetch", "stubbed", ofetchPair(stubFetch), stubbed],
  ["got", "stubbed", gotPair(() => new StubAgent({ keepAlive: true })), stubbed],
  ["fetch", "loopback", fetchPair(fetch), loopback],
  ["axios", "loopback", axiosPair(), loopback],
  ["ofetch", "loopback", ofetchPair(fetch), loopback],
  ["got", "loopback", gotPair(), loopback],
];
const table = [];
for (const [client, transport, pair, origin] of rows) {
  table.push({ client, transport, ...(await compare(pair, origin)) });
}
console.table(table);
server.disconnect();
await tokens.close();
