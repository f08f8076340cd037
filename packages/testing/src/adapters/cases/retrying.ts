import { expectSuccess, expectThat } from "../../contract.ts";
import { accepting, type Reply, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { expectCode, expectExchanges, expectManagerError, expectSame, expectStatus, expectTokens } from "./expect.ts";

const CONCURRENT = 1_000;
const CONCURRENT_TIMEOUT = 90_000; // ms; a slow machine is busy with so many requests for 10 seconds

const retried: AdapterCase = {
  name: "retries a 401 once, after a single exchange",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    expectStatus(await scene.send({ url: "/x?y=1" }), 200, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    const paths = api.received.map(({ path }) => path);
    expectSame(paths, ["/x?y=1", "/x?y=1"], { clause: "retry", what: "The paths of the two attempts" });
    expectExchanges(session, 1, "refresh");
  },
};

const query: AdapterCase = {
  name: "retries a POST with a query, however the client encodes it",
  async run(scene) {
    const { api } = scene;
    const calls = [{ url: "/x", query: { q: "a b'", "list[]": "é" } }, { url: "/x?q=[a b]'" }, { url: "/x?" }];
    for (const [index, call] of calls.entries()) {
      const session = await scene.createSession({ owner: `${index}-` });
      api.received.length = 0;
      api.respond = accepting(session.accessToken(2));
      const { status } = await scene.send({ method: "POST", ...call }, { tokens: session.tokens });
      const [first, second] = api.received.map(({ path }) => path);
      const hint =
        "A POST whose URL differs between authorize() and renew() counts as redirected: pass it with the query.";
      expectThat(status === 200, "retry", `A POST to ${first} was not retried after a 401. ${hint}`);
      expectThat(first === second, "retry", `A POST to ${first} was sent to ${second} on the retry.`);
    }
  },
};

const second: AdapterCase = {
  name: "returns the second 401",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => UNAUTHORIZED;
    expectStatus(await scene.send({ url: "/" }), 401, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    expectExchanges(session, 1, "retry");
  },
};

const onceOnly: AdapterCase = {
  name: "retries only once, even if newer tokens keep arriving",
  async run(scene) {
    const { api, session } = scene;
    api.respond = async (_, index) => {
      if (index < 5) await session.tokens.refresh();
      return UNAUTHORIZED;
    };
    expectStatus(await scene.send({ url: "/" }), 401, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
  },
};

const rights: AdapterCase = {
  name: "does not retry a 401 with insufficient_scope",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => ({ status: 401, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } });
    expectStatus(await scene.send({ url: "/" }), 401, "retry");
    expectTokens(api, [session.accessToken(1)], "retry");
    expectExchanges(session, 0, "retry");
  },
};

const forbidden: AdapterCase = {
  name: "does not retry a 403",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => ({ status: 403 });
    expectStatus(await scene.send({ url: "/" }), 403, "retry");
    expectTokens(api, [session.accessToken(1)], "retry");
    expectExchanges(session, 0, "retry");
  },
};

const late: AdapterCase = {
  name: "retries a late 401 for an old token without another exchange",
  async run(scene) {
    const { api, session } = scene;
    const old = session.accessToken(1);
    api.respond = async (received) => {
      if (received.authorization === `Bearer ${old}`) await session.tokens.refresh();
      return accepting(session.accessToken(2))(received);
    };
    const outcome = await scene.send({ url: "/" });
    expectExchanges(session, 1, "refresh");
    expectStatus(outcome, 200, "refresh");
  },
};

const concurrent: AdapterCase = {
  name: `makes one exchange for ${CONCURRENT} concurrent 401s, and retries each request`,
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const client = await scene.connect();
    const calls = Array.from({ length: CONCURRENT }, (_, index) =>
      sendWith(client, { url: `/${index}` }, CONCURRENT_TIMEOUT),
    );
    const failed = (await Promise.all(calls)).filter(({ status }) => status !== 200).length;
    expectExchanges(session, 1, "refresh");
    expectThat(failed === 0, "retry", () => `${failed} of ${CONCURRENT} calls did not end with status 200.`);
  },
};

const justObtained: AdapterCase = {
  name: "returns the 401 of a token that was just obtained, without refreshing it",
  async run(scene) {
    const { api, session } = scene;
    await session.tokens.refresh();
    api.respond = () => UNAUTHORIZED;
    const call = scene.send({ url: "/" });
    expectStatus(
      await expectSuccess(call, "retry", "A call that received a 401 for a token that was just obtained"),
      401,
      "retry",
    );
    expectTokens(api, [session.accessToken(2)], "retry");
    expectExchanges(session, 1, "retry");
  },
};

const ended: AdapterCase = {
  name: "throws the token manager's error if a 401 ends the session",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    scene.session.fail({ error: "invalid_grant", status: 400, sent: true });
    const call = scene.send({ url: "/" });
    const what = "The API responded with 401 and the session had ended";
    expectCode(await expectManagerError(scene, call, { clause: "refresh", what }), "SIGN_IN_REQUIRED", "refresh");
  },
};

const endpointDown: AdapterCase = {
  name: "throws the token manager's error to each of three concurrent callers if the token endpoint is down",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    scene.session.fail({ status: 503, sent: true });
    const client = await scene.connect();
    const what = "The API responded with 401 and the token endpoint was down";
    const calls = [1, 2, 3].map(() =>
      expectManagerError(scene, sendWith(client, { url: "/" }), { clause: "refresh", what }),
    );
    for (const error of await Promise.all(calls)) expectCode(error, "REFRESH_FAILED", "refresh");
  },
};

const asValue: AdapterCase = {
  name: "retries a 401 that the client treats as a success, and returns the second one",
  needs: ["statusValues"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect({ statusValues: true });
    api.respond = accepting(session.accessToken(2));
    expectStatus(await sendWith(client, { url: "/" }), 200, "retry");
    api.respond = () => UNAUTHORIZED;
    const outcome = await sendWith(client, { url: "/" });
    expectStatus(outcome, 401, "retry");
    expectThat(
      outcome.error === undefined,
      "transparency",
      "The client was configured not to throw for a status, but threw for a 401.",
    );
  },
};

const otherwise: AdapterCase = {
  name: "retries the responses that isUnauthorized selects, instead of 401s",
  needs: ["isUnauthorized"],
  async run(scene) {
    const { api } = scene;
    const isUnauthorized = (status: number, body: unknown) => status === 419 || Reflect.has(Object(body), "errors");
    const refusals: readonly Reply[] = [{ status: 419 }, { status: 200, body: '{"errors":["UNAUTHENTICATED"]}' }];
    for (const [index, refusal] of refusals.entries()) {
      const session = await scene.createSession({ owner: `${index}-` });
      const [first, next] = [session.accessToken(1), session.accessToken(2)];
      api.received.length = 0;
      api.respond = ({ authorization }) => (authorization === `Bearer ${first}` ? refusal : { status: 200 });
      expectStatus(
        await scene.send({ url: "/", read: "json" }, { tokens: session.tokens, isUnauthorized }),
        200,
        "retry",
      );
      expectTokens(api, [first, next], "retry");
    }
    api.respond = () => UNAUTHORIZED;
    expectStatus(await scene.send({ url: "/" }, { isUnauthorized }), 401, "retry");
    expectExchanges(scene.session, 0, "retry");
  },
};

export const retryingCases: readonly AdapterCase[] = [
  retried,
  query,
  second,
  onceOnly,
  rights,
  forbidden,
  late,
  concurrent,
  justObtained,
  ended,
  endpointDown,
  asValue,
  otherwise,
];
