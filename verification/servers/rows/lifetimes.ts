/** Lifetimes, delays and redirects. */
import { outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Session } from "../scene.ts";
import { type Issued, type Reply, tokensOf } from "../token-server.ts";
import { verdictRow } from "../verdict-row.ts";
import { isMisconfigured } from "./expected.ts";
import { jwt } from "./identity.ts";

const seconds = () => Math.floor(Date.now() / 1000);

/** A row about a lifetime: the response, and how many exchanges a number of calls cost. */
interface LifetimeRow {
  readonly situation: string;
  readonly body: (issued: Issued) => object;
  /** The seconds that pass before each call. */
  readonly calls: readonly number[];
  readonly exchanges: string;
  /** The lifetime that is stored, in seconds. */
  readonly lifetime: string;
}

async function lifetimeOf({ tokens, clock }: Session): Promise<string> {
  const expiresAt = (await tokens.peek())?.expiresAt;
  return expiresAt === undefined ? "unknown" : `${Math.round((expiresAt - clock.now()) / 1000)} s`;
}

const lifetimeRow = ({ situation, body, calls, exchanges, lifetime }: LifetimeRow): Row => ({
  situation,
  expected: { happened: `lifetime ${lifetime}`, saw: new RegExp(`^a token; ${exchanges}$`) },
  async run(scene) {
    const session = await scene.session({ manager: { background: false } });
    session.server.next(...Array.from({ length: 200 }, () => ({ rotates: true, body })));
    await session.tokens.getAccessToken();
    const happened = `lifetime ${await lifetimeOf(session)}`;
    const saw = new Set<string>();
    for (const pause of calls) {
      await session.clock.advance(pause * 1000);
      saw.add(await outcome(session.tokens.getAccessToken()));
    }
    return { happened, saw: `${[...saw].join(", ")}; ${session.server.exchanges}` };
  },
});

const CALLS = Array.from({ length: 120 }, () => 30);

/** A JWT that lives shorter or longer than the response says. */
const withJwt = (lifetime: number, more: object) => (issued: Issued) => ({
  ...tokensOf(issued),
  access_token: jwt({ iat: seconds(), exp: seconds() + lifetime }),
  ...more,
});

const lifetimes: readonly LifetimeRow[] = [
  {
    situation: 'expires_in: 0 for "never": 120 calls in an hour',
    body: (issued) => ({ ...tokensOf(issued), expires_in: 0 }),
    calls: CALLS,
    exchanges: "1 exchange",
    lifetime: "unknown",
  },
  {
    situation: "expires_in: -1: 120 calls in an hour",
    body: (issued) => ({ ...tokensOf(issued), expires_in: -1 }),
    calls: CALLS,
    exchanges: "1 exchange",
    lifetime: "unknown",
  },
  {
    situation: "no expires_in: 120 calls in an hour",
    body: (issued) => ({ ...tokensOf(issued), expires_in: undefined }),
    calls: CALLS,
    exchanges: "1 exchange",
    lifetime: "unknown",
  },
  {
    situation: 'expires_in: "3600", a string',
    body: (issued) => ({ ...tokensOf(issued), expires_in: "3600" }),
    calls: [10, 10],
    exchanges: "1 exchange",
    lifetime: "3600 s",
  },
  {
    situation: "a JWT whose exp − iat is 300, with expires_in 3600",
    body: withJwt(300, {}),
    calls: [200, 101],
    exchanges: "2 exchanges",
    lifetime: "300 s",
  },
  {
    situation: "a JWT whose exp − iat is 3600, with expires_in 300",
    body: withJwt(3600, { expires_in: 300 }),
    calls: [200, 101],
    exchanges: "2 exchanges",
    lifetime: "300 s",
  },
  {
    situation: "a JWT whose exp is in 3600 s, without expires_in",
    body: withJwt(3600, { expires_in: undefined }),
    calls: [10, 10],
    exchanges: "1 exchange",
    lifetime: "3600 s",
  },
  {
    situation: "a JWT whose exp is past, without expires_in: 120 calls in an hour",
    body: withJwt(-60, { expires_in: undefined }),
    calls: CALLS,
    exchanges: "1 exchange",
    lifetime: "unknown",
  },
];

const inTwoMinutes = () => new Date(Date.now() + 120_000).toUTCString();

const late = (situation: string, headers: Reply["headers"] & {}, hasNoDate: boolean): Row =>
  verdictRow({
    situation,
    reply: { status: 429, headers, hasNoDate },
    steps: ["get", 60, "get", 61, "get"],
    expected: {
      happened: /^transient, next try in 1(19|20) s$/,
      saw: /^REFRESH_FAILED endpoint \(HTTP 429\); REFRESH_FAILED endpoint \(HTTP 429\); a token; 2 exchanges/,
    },
  });

const redirect = (status: number): Row =>
  verdictRow({
    situation: `the token endpoint redirects: ${status} to the same path with a slash`,
    reply: { status, headers: { location: "/token/?secret=1" } },
    expected: isMisconfigured(`HTTP ${status} "redirects to http://127.0.0.1/token/"`),
  });

export const lifetimeRows: readonly Row[] = [
  ...lifetimes.map(lifetimeRow),
  late("429 with Retry-After: 120", { "retry-after": "120" }, false),
  late("429 with a Retry-After date and a Date header", () => ({ "retry-after": inTwoMinutes() }), false),
  late("429 with a Retry-After date and no Date header", () => ({ "retry-after": inTwoMinutes() }), true),
  verdictRow({
    situation: "429 with Retry-After: 86400: a call, and an explicit refresh()",
    reply: { status: 429, headers: { "retry-after": "86400" } },
    steps: ["get", 2, "get", "refresh"],
    expected: {
      happened: /^transient, next try in 3600 s$/,
      saw: /^REFRESH_FAILED endpoint \(HTTP 429\); REFRESH_FAILED endpoint \(HTTP 429\); a token; 2 exchanges/,
    },
  }),
  ...[301, 302, 307, 308].map(redirect),
];
