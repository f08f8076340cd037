import { expectThat, throwViolation } from "../../contract.ts";
import type { Call } from "../harness.ts";
import { accepting, type ResourceServer, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, expectExchanges, expectStatus, expectTokens } from "./expect.ts";

const hostOf = ({ origin }: ResourceServer) => new URL(origin).host;

/** Expects that no request to the server carried a token of the session. */
const expectNoTokenSent = ({ received }: ResourceServer, what: string): void => {
  const seen = received.some(({ authorization }) => authorization?.includes(CANARY));
  expectThat(!seen, "origins", `${what} carried the token.`);
};

const absolute: AdapterCase = {
  name: "sends no token to an absolute URL of another origin, and does not retry its 401",
  async run(scene) {
    scene.other.respond = () => UNAUTHORIZED;
    expectStatus(await scene.send({ url: `${scene.other.origin}/x` }), 401, "origins");
    expectTokens(scene.other, [undefined], "origins");
    expectExchanges(scene.session, 0, "origins");
  },
};

const ownBase: AdapterCase = {
  name: "sends no token to a base URL that is set for one request",
  needs: ["baseURL"],
  async run(scene) {
    await scene.send({ url: "/x", baseURL: scene.other.origin });
    expectTokens(scene.other, [undefined], "origins");
  },
};

const scheme: AdapterCase = {
  name: "sends no token over http if the origin is https",
  async run(scene) {
    await scene.send({ url: "/" }, { origins: [scene.api.origin.replace("http:", "https:")] });
    expectTokens(scene.api, [undefined], "origins");
  },
};

const port: AdapterCase = {
  name: "sends no token to another port of the same host",
  async run(scene) {
    await scene.send({ url: "/" }, { origins: [scene.other.origin] });
    await scene.send({ url: "/" }, { origins: ["http://127.0.0.1"] });
    expectTokens(scene.api, [undefined, undefined], "origins");
  },
};

/** Ignores the error of a client that rejects such a URL. */
const ignoreRefusal = throwViolation;

const userInformation: AdapterCase = {
  name: "ignores user information in a URL when it checks the origin",
  async run(scene) {
    const { api, other } = scene;
    other.respond = () => UNAUTHORIZED;
    for (const user of ["me:mine", hostOf(api)])
      await scene.send({ url: `http://${user}@${hostOf(other)}/` }).catch(ignoreRefusal);
    expectNoTokenSent(other, "A request to a URL with user information");
    expectExchanges(scene.session, 0, "origins");
  },
};

const ownUser: AdapterCase = {
  name: "leaves a request with a user name in its URL alone",
  needs: ["userInformation"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => UNAUTHORIZED;
    for (const user of ["me", "me:mine"])
      await scene.send({ url: `http://${user}@${hostOf(api)}/` }).catch(ignoreRefusal);
    const carried = api.received.some(({ authorization }) => authorization?.includes(CANARY));
    expectThat(!carried, "own", "A request with a user name in its URL carried the token.");
    expectExchanges(session, 0, "own");
  },
};

const protocolRelative: AdapterCase = {
  name: "sends no token to a protocol-relative URL of another origin",
  async run(scene) {
    await scene.send({ url: `//${hostOf(scene.other)}/x` }).catch(ignoreRefusal);
    expectNoTokenSent(scene.other, "A request to a protocol-relative URL");
  },
};

const predicate: AdapterCase = {
  name: "passes the complete URL to a predicate",
  async run(scene) {
    const client = await scene.connect({
      origins: ({ pathname, searchParams }) => pathname.startsWith("/mine/") && searchParams.get("open") !== "1",
    });
    const calls: readonly Call[] = [{ url: "/mine/1" }, { url: "/mine/1", query: { open: "1" } }, { url: "/theirs" }];
    for (const call of calls) await sendWith(client, call);
    expectTokens(scene.api, [scene.session.accessToken(1), undefined, undefined], "origins");
  },
};

const withinOrigin: AdapterCase = {
  name: "keeps the token on a redirect within the origin, and retries a 401 after it",
  needs: ["redirects"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = (received) =>
      received.path === "/"
        ? { status: 302, headers: { location: "/moved" } }
        : accepting(session.accessToken(2))(received);
    expectStatus(await scene.send({ url: "/" }), 200, "retry");
    const moved = api.received.filter(({ path }) => path === "/moved").map(({ authorization }) => authorization);
    const tokens = [session.accessToken(1), session.accessToken(2)].map((token) => `Bearer ${token}`);
    expectThat(
      moved.join() === tokens.join(),
      "retry",
      "The redirected request did not carry the old token first and the newer one on the retry.",
    );
    expectExchanges(session, 1, "refresh");
  },
};

const notTwice: AdapterCase = {
  name: "does not repeat a POST if its redirect led to a 401",
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
    expectThat(posts === 1, "body", `The POST was redirected, and was sent ${posts} times.`);
    await eventually(() => session.exchanges === 1, "refresh", "The 401 after a redirect did not refresh the token.");
  },
};

const inbound: AdapterCase = {
  name: "sends no token on a redirect from another origin",
  needs: ["redirects"],
  async run(scene) {
    const { api, other } = scene;
    other.respond = () => ({ status: 302, headers: { location: `${api.origin}/chosen` } });
    await scene.send({ url: other.origin });
    expectTokens(api, [undefined], "origins");
  },
};

const toOtherOrigin = (status: number): AdapterCase => ({
  name: `drops the token on a ${status} redirect to another origin`,
  needs: ["redirects"],
  async run(scene) {
    const { api, other, session } = scene;
    api.respond = () => ({ status, headers: { location: `${other.origin}/elsewhere` } });
    await scene.send({ url: "/" });
    expectTokens(api, [session.accessToken(1)], "origins");
    expectTokens(other, [undefined], "origins");
  },
});

const foreign: AdapterCase = {
  name: "does not retry a 401 after a redirect to another origin",
  needs: ["redirects"],
  async run(scene) {
    const { api, other, session } = scene;
    api.respond = () => ({ status: 307, headers: { location: other.origin } });
    other.respond = () => UNAUTHORIZED;
    expectStatus(await scene.send({ url: "/" }), 401, "origins");
    expectTokens(api, [session.accessToken(1)], "origins");
    expectExchanges(session, 0, "origins");
  },
};

export const originCases: readonly AdapterCase[] = [
  absolute,
  ownBase,
  scheme,
  port,
  userInformation,
  ownUser,
  protocolRelative,
  predicate,
  withinOrigin,
  notTwice,
  inbound,
  foreign,
  ...[301, 302, 303, 307, 308].map(toOtherOrigin),
];
