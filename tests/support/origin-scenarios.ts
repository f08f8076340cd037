import { expect } from "vitest";
import { bearer, bearers, printed, rejection, type Scenario } from "./adapter-scenarios.ts";
import { accepting, UNAUTHORIZED } from "./api-server.ts";
import { CANARY, canary } from "./canary.ts";

const redirects: readonly Scenario[] = [302, 307, 308].map((status) => ({
  name: `a ${status} to another origin goes without the token`,
  async run({ api, other, session, send }) {
    api.respond = () => ({ status, headers: { location: `${other.origin}/elsewhere` } });
    other.respond = () => UNAUTHORIZED;
    expect((await send({ url: "/" })).status).toBe(401);
    expect(bearers(api)).toEqual([bearer(1)]);
    expect(bearers(other)).toEqual([undefined]);
    expect(session.exchanges).toBe(0);
  },
}));

const origins: readonly Scenario[] = [
  {
    name: "an absolute URL of another origin gets no token",
    async run({ api, other, session, send }) {
      other.respond = () => UNAUTHORIZED;
      expect((await send({ url: `${other.origin}/x` })).status).toBe(401);
      expect(bearers(other)).toEqual([undefined]);
      expect([session.exchanges, api.received.length]).toEqual([0, 0]);
    },
  },
  {
    name: "a request's own base URL does not widen the origins",
    async run({ other, send }) {
      await send({ url: "/x", baseURL: other.origin });
      expect(bearers(other)).toEqual([undefined]);
    },
  },
  {
    name: "a URL with user information gets no token",
    async run({ api, other, session, send }) {
      for (const server of [api, other]) server.respond = () => UNAUTHORIZED;
      for (const { origin } of [api, other]) {
        await send({ url: origin.replace("http://", "http://me:secret@") }).catch(() => {});
      }
      await send({ url: `http://${new URL(api.origin).host}@${new URL(other.origin).host}/` }).catch(() => {});
      expect([...bearers(api), ...bearers(other)].join()).not.toContain(CANARY);
      expect(session.exchanges).toBe(0);
    },
  },
  {
    name: "a protocol-relative URL takes the token nowhere else",
    async run({ other, send }) {
      await send({ url: `//${new URL(other.origin).host}/x` }).catch(() => {});
      expect(bearers(other).join()).not.toContain(CANARY);
    },
  },
  {
    name: "a redirect within the origin keeps the token, and its 401 is repeated",
    async run({ api, session, send }) {
      api.respond = (received) =>
        received.path === "/"
          ? { status: 302, headers: { location: "/moved" } }
          : accepting(canary("access", 2))(received, 0);
      expect((await send({ url: "/" })).status).toBe(200);
      const [first, second, ...again] = bearers(api); // from the start, or from where it was moved to
      expect([first, second, ...new Set(again)]).toEqual([bearer(1), bearer(1), bearer(2)]);
      expect(session.exchanges).toBe(1);
    },
  },
  {
    name: "a predicate decides over the whole URL",
    async run({ harness, api, session }) {
      const send = harness.connect({
        tokens: session.tokens,
        baseURL: api.origin,
        origins: (url) => url.pathname.startsWith("/mine/") && url.searchParams.get("open") !== "1",
      });
      for (const url of ["/mine/1", "/mine/1?open=1", "/theirs"]) await send({ url });
      expect(bearers(api)).toEqual([bearer(1), undefined, undefined]);
    },
  },
  ...redirects,
];

const manners: readonly Scenario[] = [
  {
    name: "the client's own retries are as many as without us, also after a 401",
    async run({ harness, api, session }) {
      if (!harness.retries) return;
      const setup = { baseURL: api.origin, origins: [api.origin], retries: 2 };
      api.respond = () => ({ status: 503 });
      expect((await harness.connect(setup)({ url: "/" })).status).toBe(503);
      const alone = api.received.splice(0).length;
      expect(alone).toBe(3);
      const send = harness.connect({ ...setup, tokens: session.tokens });
      expect((await send({ url: "/" })).status).toBe(503);
      expect(api.received.splice(0).length).toBe(alone);
      api.respond = ({ authorization }) => (authorization === bearer(1) ? UNAUTHORIZED : { status: 503 });
      expect((await send({ url: "/" })).status).toBe(503);
      expect(api.received.splice(0).length).toBe(1 + alone);
    },
  },
  {
    name: "no error shows the token",
    async run({ api, session, send }) {
      const errors: unknown[] = [];
      for (const status of [401, 403, 500]) {
        api.respond = () => ({ status });
        errors.push((await send({ url: "/" })).error);
      }
      api.respond = async () => {
        await api[Symbol.asyncDispose]();
        return { status: 200 };
      };
      errors.push(await rejection(send({ url: "/" })));
      expect(bearers(api).join()).toContain(CANARY);
      for (const error of errors) expect(printed(error)).not.toContain(CANARY);
      expect(session.exchanges).toBe(1);
    },
  },
];

export const originScenarios: readonly Scenario[] = [...origins, ...manners];
