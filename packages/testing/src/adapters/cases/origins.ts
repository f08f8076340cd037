import { ConformanceError, hold } from "../../contract.ts";
import type { Call } from "../harness.ts";
import { accepting, type ResourceServer, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, holdExchanges, holdStatus, holdTokens } from "./hold.ts";

const hostOf = ({ origin }: ResourceServer) => new URL(origin).host;

/** Holds where no request to the server had a token of ours. */
const holdNoToken = ({ received }: ResourceServer, what: string): void => {
  const seen = received.some(({ authorization }) => authorization?.includes(CANARY));
  hold(!seen, "origins", `${what} took the token along.`);
};

const absolute: AdapterCase = {
  name: "sends no token to an absolute URL of another origin, and leaves its 401 alone",
  async run(scene) {
    scene.other.respond = () => UNAUTHORIZED;
    holdStatus(await scene.send({ url: `${scene.other.origin}/x` }), 401, "origins");
    holdTokens(scene.other, [undefined], "origins");
    holdExchanges(scene.session, 0, "origins");
  },
};

const ownBase: AdapterCase = {
  name: "sends no token to a request's own base URL",
  needs: ["baseURL"],
  async run(scene) {
    await scene.send({ url: "/x", baseURL: scene.other.origin });
    holdTokens(scene.other, [undefined], "origins");
  },
};

const scheme: AdapterCase = {
  name: "sends no token over http where the origin is https",
  async run(scene) {
    await scene.send({ url: "/" }, { origins: [scene.api.origin.replace("http:", "https:")] });
    holdTokens(scene.api, [undefined], "origins");
  },
};

const port: AdapterCase = {
  name: "sends no token to another port of the host",
  async run(scene) {
    await scene.send({ url: "/" }, { origins: [scene.other.origin] });
    await scene.send({ url: "/" }, { origins: ["http://127.0.0.1"] });
    holdTokens(scene.api, [undefined, undefined], "origins");
  },
};

/** Some clients refuse such a URL. */
const ignoreRefusal = (error: unknown): void => {
  if (error instanceof ConformanceError) throw error;
};

const userInformation: AdapterCase = {
  name: "is not led astray by user information in a URL",
  async run(scene) {
    const { api, other } = scene;
    for (const server of [api, other]) server.respond = () => UNAUTHORIZED;
    const hosts = [`me:mine@${hostOf(other)}`, `${hostOf(api)}@${hostOf(other)}`, `me:mine@${hostOf(api)}`];
    for (const host of hosts) await scene.send({ url: `http://${host}/` }).catch(ignoreRefusal);
    for (const server of [api, other]) holdNoToken(server, "A URL with user information");
    holdExchanges(scene.session, 0, "origins");
  },
};

const protocolRelative: AdapterCase = {
  name: "is not led astray by a protocol-relative URL",
  async run(scene) {
    await scene.send({ url: `//${hostOf(scene.other)}/x` }).catch(ignoreRefusal);
    holdNoToken(scene.other, "A protocol-relative URL");
  },
};

const predicate: AdapterCase = {
  name: "asks a predicate about the whole URL",
  async run(scene) {
    const client = await scene.connect({
      origins: ({ pathname, searchParams }) => pathname.startsWith("/mine/") && searchParams.get("open") !== "1",
    });
    const calls: readonly Call[] = [{ url: "/mine/1" }, { url: "/mine/1", query: { open: "1" } }, { url: "/theirs" }];
    for (const call of calls) await sendWith(client, call);
    holdTokens(scene.api, [scene.session.accessToken(1), undefined, undefined], "origins");
  },
};

const within: AdapterCase = {
  name: "keeps the token through a redirect within the origin, and retries its 401",
  needs: ["redirects"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = (received) =>
      received.path === "/"
        ? { status: 302, headers: { location: "/moved" } }
        : accepting(session.accessToken(2))(received);
    holdStatus(await scene.send({ url: "/" }), 200, "retry");
    const moved = api.received.filter(({ path }) => path === "/moved").map(({ authorization }) => authorization);
    const tokens = [session.accessToken(1), session.accessToken(2)].map((token) => `Bearer ${token}`);
    hold(moved.join() === tokens.join(), "retry", "The redirect did not get the old token and then the newer one.");
    holdExchanges(session, 1, "renewal");
  },
};

const notTwice: AdapterCase = {
  name: "does not begin a POST again whose redirect led to a 401",
  needs: ["redirects"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = (received) =>
      received.path === "/orders"
        ? { status: 303, headers: { location: "/orders/1" } }
        : accepting(session.accessToken(2))(received);
    const body = { kind: "json", value: { a: 1 } } as const;
    await scene.send({ method: "POST", url: "/orders", body });
    const posts = api.received.filter(({ method }) => method === "POST").length;
    hold(posts === 1, "body", `The POST was answered with a redirect, and sent ${posts} times.`);
    await eventually(() => session.exchanges === 1, "renewal", "The 401 after a redirect renewed nothing.");
  },
};

const inbound: AdapterCase = {
  name: "sends no token with a redirect from another origin",
  needs: ["redirects"],
  async run(scene) {
    const { api, other } = scene;
    other.respond = () => ({ status: 302, headers: { location: `${api.origin}/chosen` } });
    await scene.send({ url: other.origin });
    holdTokens(api, [undefined], "origins");
  },
};

const elsewhere = (status: number): AdapterCase => ({
  name: `drops the token at a ${status} to another origin`,
  needs: ["redirects"],
  async run(scene) {
    const { api, other, session } = scene;
    api.respond = () => ({ status, headers: { location: `${other.origin}/elsewhere` } });
    await scene.send({ url: "/" });
    holdTokens(api, [session.accessToken(1)], "origins");
    holdTokens(other, [undefined], "origins");
  },
});

const foreign: AdapterCase = {
  name: "leaves a 401 alone to which a redirect to another origin led",
  needs: ["redirects"],
  async run(scene) {
    const { api, other, session } = scene;
    api.respond = () => ({ status: 307, headers: { location: other.origin } });
    other.respond = () => UNAUTHORIZED;
    holdStatus(await scene.send({ url: "/" }), 401, "origins");
    holdTokens(api, [session.accessToken(1)], "origins");
    holdExchanges(session, 0, "origins");
  },
};

export const originCases: readonly AdapterCase[] = [
  absolute,
  ownBase,
  scheme,
  port,
  userInformation,
  protocolRelative,
  predicate,
  within,
  notTwice,
  inbound,
  foreign,
  ...[301, 302, 303, 307, 308].map(elsewhere),
];
