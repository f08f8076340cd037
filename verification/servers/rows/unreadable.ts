/** Responses that hold no tokens, after the server may have rotated. */
import type { Row } from "../row.ts";
import type { Issued, Reply } from "../token-server.ts";
import { tokensOf } from "../token-server.ts";
import { verdictRow } from "../verdict-row.ts";
import { backsOff, isLost, isLostButUsable } from "./expected.ts";

const text = (issued: Issued): string => JSON.stringify(tokensOf(issued));
const camelCase = ({ accessToken, refreshToken }: Issued) => ({ accessToken, refreshToken, expiresIn: 3600 });
const json = { "content-type": "application/json" };

/** Responses with a 2xx status, after the server has rotated. `said`: what the caller learns. */
const SUCCESSES: readonly [name: string, reply: Reply, said?: string][] = [
  ["200 with HTML", { body: "<html>Please sign in to the Wi-Fi</html>" }],
  ["200 with nothing", {}],
  ["204", { status: 204 }],
  ["200 with half of the JSON", { headers: json, body: (issued) => text(issued).slice(0, 40) }],
  ["200, cut off by a closed connection", { headers: json, body: text, drop: "half" }, "no response"],
  ['200 with { "data": { tokens } }', { body: (issued) => ({ data: tokensOf(issued) }) }],
  ["200 with the names in camelCase", { body: camelCase }],
  ["200 with an array of tokens", { body: (issued) => [tokensOf(issued)] }],
  ["200 with null", { headers: json, body: "null" }],
  ["200 with an access_token that is a number", { body: { access_token: 1 } }],
  ["201 with HTML", { status: 201, body: "<html></html>" }],
];

/** Other responses after which the server may have rotated. */
const FAILURES: readonly [name: string, reply: Reply, said: string][] = [
  ["400 server_error", { status: 400, body: { error: "server_error" } }, "HTTP 400 server_error"],
  ["200 server_error", { body: { error: "server_error" } }, "HTTP 200 server_error"],
  ["500 with nothing", { status: 500 }, "HTTP 500"],
  ["500 with HTML", { status: 500, body: "<html></html>" }, "HTTP 500"],
  ["502 with HTML", { status: 502, body: "<html>Bad Gateway</html>" }, "HTTP 502"],
  ["503 with HTML, without Retry-After", { status: 503, body: "<html></html>" }, "HTTP 503"],
  ["503 server_error", { status: 503, body: { error: "server_error" } }, "HTTP 503 server_error"],
  ["504 with nothing", { status: 504 }, "HTTP 504"],
  ["a connection that is closed before the response", { drop: "before" }, "no response"],
];

const unreadable = [
  ...SUCCESSES.map(([name, reply, said]) => [name, reply, said ?? `HTTP ${reply.status ?? 200}`] as const),
  ...FAILURES,
];

const rows = unreadable.flatMap(([name, reply, said]) => {
  const rotating: Reply = { rotates: true, ...reply };
  const after = `${name}, after the server has rotated`;
  return [
    verdictRow({ situation: `${after}; the access token has expired`, reply: rotating, expected: isLost(said) }),
    verdictRow({
      situation: `${after}; the access token is usable`,
      reply: rotating,
      session: { isUsable: true },
      expected: isLostButUsable(said),
    }),
  ];
});

const UNPROCESSED: readonly [name: string, reply: Reply, said: string, seconds?: number][] = [
  ["429", { status: 429 }, "HTTP 429"],
  ["503 with Retry-After", { status: 503, headers: { "retry-after": "2" } }, "HTTP 503", 2],
  [
    "503 temporarily_unavailable",
    { status: 503, body: { error: "temporarily_unavailable" } },
    "HTTP 503 temporarily_unavailable",
  ],
  ["503 with another OAuth code", { status: 503, body: { error: "slow_down" } }, "HTTP 503 slow_down"],
  [
    "400 temporarily_unavailable",
    { status: 400, body: { error: "temporarily_unavailable" } },
    "HTTP 400 temporarily_unavailable",
  ],
  ["400 with the HTML page of a proxy", { status: 400, body: "<html>Bad Request</html>" }, "HTTP 400"],
  ["403 with the HTML page of a firewall", { status: 403, body: "<html>Forbidden</html>" }, "HTTP 403"],
  ["404 with nothing", { status: 404 }, "HTTP 404"],
];

export const unreadableRows: readonly Row[] = [
  ...rows,
  ...UNPROCESSED.map(([name, reply, said, seconds]) =>
    verdictRow({ situation: name, reply, steps: ["get", 3, "get"], expected: backsOff(said, seconds) }),
  ),
];
