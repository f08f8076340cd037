/** Refusals without a reason, as some servers send them for a spent, revoked or unknown refresh token and a wrong client. */
import type { Row } from "../row.ts";
import type { Reply } from "../token-server.ts";
import { verdictRow } from "../verdict-row.ts";

const SILENT: readonly [name: string, reply: Reply][] = [
  ["400 with nothing", { status: 400 }],
  ["401 with nothing", { status: 401 }],
  ["400 with JSON without a code", { status: 400, body: { ok: false } }],
  ["401 with the text of its status as the error", { status: 401, body: { error: "Unauthorized" } }],
  ['400 with { "status": 400, "error": "Bad Request" }', { status: 400, body: { status: 400, error: "Bad Request" } }],
];

const FAILED = "REFRESH_FAILED endpoint \\(HTTP 40[01][^)]*\\)";
const ENDED = "SIGN_IN_REQUIRED session_expired \\(HTTP 40[01][^)]*\\)";
const LOST = "SIGN_IN_REQUIRED response_lost \\(HTTP 40[01][^)]*\\)";
const MINUTE = 60;

const silent = ([name, reply]: (typeof SILENT)[number]): readonly Row[] => [
  verdictRow({
    situation: `${name}, three times in ten minutes, and after that an explicit refresh()`,
    reply: [reply, reply, reply],
    steps: ["get", 5 * MINUTE, "get", 5 * MINUTE, "get", 60 * MINUTE, "get", "refresh"],
    expected: {
      happened: /^refused 1 times, next try in 1 s$/,
      saw: new RegExp(
        `^${FAILED}; ${FAILED}; ${ENDED}; ${ENDED}; a token; 4 exchanges, 4 with the same token; a request: the same`,
      ),
    },
  }),
  verdictRow({
    situation: `${name}, three times in nine minutes: the fourth exchange succeeds`,
    reply: [reply, reply, reply],
    steps: ["get", 4 * MINUTE, "get", 5 * MINUTE, "get", 5 * MINUTE, "get"],
    expected: {
      happened: /^refused 1 times, next try in 1 s$/,
      saw: new RegExp(`^${FAILED}; ${FAILED}; ${FAILED}; a token; 4 exchanges`),
    },
  }),
  verdictRow({
    situation: `${name}, after a lost response`,
    reply: [{ rotates: true, drop: "before" }, reply],
    steps: ["get", 2, "get", 60, "get"],
    expected: {
      happened: /^lost, next try in 1 s$/,
      saw: new RegExp(
        `^REFRESH_FAILED endpoint \\(no response\\); ${LOST}; ${LOST}; 2 exchanges, 2 with the same token; `,
      ),
    },
  }),
  verdictRow({
    situation: `${name}, four times while the access token is usable`,
    reply: [reply, reply, reply, reply],
    session: { isUsable: true },
    steps: ["refresh", 5 * MINUTE, "refresh", 5 * MINUTE, "refresh", 5 * MINUTE, "refresh", "get", 50 * MINUTE, "get"],
    expected: {
      happened: /^transient, next try in 1 s$/,
      saw: new RegExp(`^(${FAILED}; ){4}a token; a token; 5 exchanges`),
    },
  }),
];

const bare: Reply = { status: 400 };

export const bodilessRows: readonly Row[] = [
  ...SILENT.flatMap(silent),
  verdictRow({
    situation: "400 with nothing, but a 429 in between: the count begins again",
    reply: [bare, bare, { status: 429 }, bare],
    steps: ["get", 5 * MINUTE, "get", 5 * MINUTE, "get", 5 * MINUTE, "get", 5 * MINUTE, "get"],
    expected: {
      happened: /^refused 1 times/,
      saw: /^(REFRESH_FAILED endpoint \(HTTP 4\d\d\); ){4}a token; 5 exchanges/,
    },
  }),
  verdictRow({
    situation: "400 with nothing, after the server has refused the client",
    reply: [{ status: 401, body: { error: "invalid_client" } }, bare],
    steps: ["get", 2, "get"],
    expected: {
      happened: /^misconfigured/,
      saw: /^CONFIGURATION \(HTTP 401 invalid_client\); REFRESH_FAILED endpoint \(HTTP 400\); 2 exchanges/,
    },
  }),
];
