/** Responses as clients hand them over: with unread copies, and in other shapes. */
import { Readable } from "node:stream";
import nodeFetch from "node-fetch";
import type { ClientName, ClientRequest } from "../clients.ts";
import { outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import { type Connected, clientRow, outcomeOf } from "../through-clients.ts";
import { inTime } from "../until.ts";

const THROUGH_FETCH: readonly ClientName[] = ["createFetch", "axios", "ofetch"];
const RETRIED = { happened: /^token 1, token 2; 1 exchange \([^:]*\)$/, saw: /^200 \([^:]*\)$/ };

function rejectFirst({ scene }: Pick<Connected, "scene">): void {
  scene.api.respond = ({ authorization }) => ({ status: authorization?.endsWith("1") ? 401 : 200 });
}

/** A `fetch` that keeps an unread copy of each response, as one that memoizes does. */
const memoizing = (): typeof fetch => {
  const kept: Response[] = [];
  return async (...call) => {
    const response = await fetch(...call);
    kept.push(response.clone());
    return response;
  };
};

/** A `fetch` that tees the body of each response, and reads one branch. */
const teeing: typeof fetch = async (...call) => {
  const response = await fetch(...call);
  const [mine] = response.body?.tee() ?? [null];
  return new Response(mine, response);
};

/** A `fetch` whose bodies are Node.js streams. */
const streaming: typeof fetch = async (...call) =>
  Object.defineProperty(await fetch(...call), "body", { value: Readable.from(["{}"]) });

/** A `fetch` whose responses have only a status, as mocks do. */
const bare = (async (...call: Parameters<typeof fetch>) => {
  const { status } = await fetch(...call);
  return { status };
}) as typeof fetch;

/** Makes a client leave the body unread, which otherwise would empty one of its copies. */
const asStream = ({ name }: Connected): Partial<ClientRequest> =>
  name === "createFetch" ? {} : { more: { responseType: "stream" } };

const through = (situation: string, create: () => typeof fetch, clients: readonly ClientName[]): Row =>
  clientRow({
    situation,
    clients,
    expected: RETRIED,
    run: async (client) => {
      rejectFirst(client);
      return client.sendWith({ fetch: create() }, asStream(client));
    },
  });

const failing = (situation: string, create: () => typeof fetch): Row =>
  clientRow({
    situation,
    clients: THROUGH_FETCH,
    expected: { happened: /^token 1; 1 exchange \([^:]*\)$/, saw: /^REFRESH_FAILED endpoint \(HTTP 429\) \([^:]*\)$/ },
    run: async (client) => {
      rejectFirst(client);
      client.session.server.next({ status: 429 });
      return client.sendWith({ fetch: create() }, asStream(client));
    },
  });

const otherRows: readonly Row[] = [
  {
    situation: "an async isUnauthorized clones the response and reads neither",
    expected: { happened: "sent with a token, with a token; 1 exchange", saw: "200" },
    async run(scene) {
      rejectFirst({ scene });
      const session = await scene.session({ isUsable: true });
      const { origin } = scene.api;
      const isUnauthorized = async (response: Response) => response.clone().status === 401;
      const send = scene.packed.core.createFetch(session.tokens, { origins: [origin], isUnauthorized });
      const saw = await outcomeOf(
        scene.packed,
        send(origin).then(({ status }) => status),
      );
      const sent = scene.api.received.map(({ authorization }) => (authorization ? "with a token" : "without"));
      return { happened: `sent ${sent.join(", ")}; ${session.server.exchanges}`, saw };
    },
  },
  {
    situation: "signOut() with a revocation, through a fetch that keeps an unread copy of each response",
    expected: { happened: "dead: signed_out; 1 revocation", saw: '{"revoked":true}' },
    async run(scene) {
      const { server } = await scene.session();
      const session = await scene.session({
        isUsable: true,
        refresh: { revocationEndpoint: `${server.origin}/revoke`, fetch: memoizing() },
      });
      server.respondToOthers = () => ({ body: "x".repeat(100_000) });
      const saw = await inTime(outcome(session.tokens.signOut()));
      const { dead } = await session.record();
      return { happened: `dead: ${dead?.reason}; ${server.others.length} revocation`, saw };
    },
  },
];

export const anyFetchRows: readonly Row[] = [
  through("401 whose response was cloned, and the copy is not read", memoizing, THROUGH_FETCH),
  through("401 whose body was teed, and one branch is not read", () => teeing, THROUGH_FETCH),
  failing("401 whose response was cloned; the refresh fails", memoizing),
  through("401 whose body is a Node.js stream", () => streaming, THROUGH_FETCH),
  through("401 through node-fetch 3", () => nodeFetch as unknown as typeof fetch, ["createFetch", "ofetch"]),
  through("401 of a fetch whose responses lack headers, body and URL", () => bare, ["createFetch"]),
  ...otherRows,
];
