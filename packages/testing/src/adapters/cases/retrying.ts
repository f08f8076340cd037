import { hold, success } from "../../contract.ts";
import { accepting, type Reply, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { holdCode, holdExchanges, holdSame, holdStatus, holdTokens, thrown } from "./hold.ts";

const CONCURRENT = 1_000;

const retried: AdapterCase = {
  name: "retries a 401 once, with the token of one exchange",
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    holdStatus(await scene.send({ url: "/x?y=1" }), 200, "retry");
    holdTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    const paths = api.received.map(({ path }) => path);
    holdSame(paths, ["/x?y=1", "/x?y=1"], { clause: "retry", what: "The paths of the two tries" });
    holdExchanges(session, 1, "renewal");
  },
};

const second: AdapterCase = {
  name: "hands out the second 401",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => UNAUTHORIZED;
    holdStatus(await scene.send({ url: "/" }), 401, "retry");
    holdTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    holdExchanges(session, 1, "retry");
  },
};

const onceOnly: AdapterCase = {
  name: "retries once, however new the tokens are",
  async run(scene) {
    const { api, session } = scene;
    api.respond = async (_, index) => {
      if (index < 5) await session.tokens.refresh();
      return UNAUTHORIZED;
    };
    holdStatus(await scene.send({ url: "/" }), 401, "retry");
    holdTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
  },
};

const rights: AdapterCase = {
  name: "does not retry a 401 that is about rights: insufficient_scope",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => ({ status: 401, headers: { "www-authenticate": 'Bearer error="insufficient_scope"' } });
    holdStatus(await scene.send({ url: "/" }), 401, "retry");
    holdTokens(api, [session.accessToken(1)], "retry");
    holdExchanges(session, 0, "retry");
  },
};

const forbidden: AdapterCase = {
  name: "does not retry a 403",
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => ({ status: 403 });
    holdStatus(await scene.send({ url: "/" }), 403, "retry");
    holdTokens(api, [session.accessToken(1)], "retry");
    holdExchanges(session, 0, "retry");
  },
};

const late: AdapterCase = {
  name: "retries a late 401 for an old token without an exchange",
  async run(scene) {
    const { api, session } = scene;
    const old = session.accessToken(1);
    api.respond = async (received) => {
      if (received.authorization === `Bearer ${old}`) await session.tokens.refresh();
      return accepting(session.accessToken(2))(received);
    };
    const outcome = await scene.send({ url: "/" });
    holdExchanges(session, 1, "renewal");
    holdStatus(outcome, 200, "renewal");
  },
};

const concurrent: AdapterCase = {
  name: `makes one exchange of ${CONCURRENT} concurrent 401s, and retries each`,
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const client = await scene.connect();
    const calls = Array.from({ length: CONCURRENT }, (_, index) => sendWith(client, { url: `/${index}` }));
    const failed = (await Promise.all(calls)).filter(({ status }) => status !== 200).length;
    holdExchanges(session, 1, "renewal");
    hold(failed === 0, "retry", () => `${failed} of ${CONCURRENT} calls were not answered with 200.`);
  },
};

const justObtained: AdapterCase = {
  name: "does not renew a token that was just obtained: its 401 is the caller's",
  async run(scene) {
    const { api, session } = scene;
    await session.tokens.refresh();
    api.respond = () => UNAUTHORIZED;
    const call = scene.send({ url: "/" });
    holdStatus(await success(call, "retry", "A call whose 401 met a token that was just obtained"), 401, "retry");
    holdTokens(api, [session.accessToken(2)], "retry");
    holdExchanges(session, 1, "retry");
  },
};

const ended: AdapterCase = {
  name: "throws the token manager's error where a 401 leads to the end of the session",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    scene.session.fail({ error: "invalid_grant", status: 400, sent: true });
    const call = scene.send({ url: "/" });
    const what = "The API answered 401, and the session had ended";
    holdCode(await thrown(scene, call, { clause: "renewal", what }), "SIGN_IN_REQUIRED", "renewal");
  },
};

const endpointDown: AdapterCase = {
  name: "throws the token manager's error to each of three whose 401s meet a token endpoint that is down",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    scene.session.fail({ status: 503, sent: true });
    const client = await scene.connect();
    const what = "The API answered 401, and the token endpoint was down";
    const calls = [1, 2, 3].map(() => thrown(scene, sendWith(client, { url: "/" }), { clause: "renewal", what }));
    for (const error of await Promise.all(calls)) holdCode(error, "REFRESH_FAILED", "renewal");
  },
};

const asValue: AdapterCase = {
  name: "retries a 401 that the client hands out as a success, and hands out the second one",
  needs: ["statusValues"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect({ statusValues: true });
    api.respond = accepting(session.accessToken(2));
    holdStatus(await sendWith(client, { url: "/" }), 200, "retry");
    api.respond = () => UNAUTHORIZED;
    const outcome = await sendWith(client, { url: "/" });
    holdStatus(outcome, 401, "retry");
    hold(outcome.error === undefined, "manners", "The client was told to throw for no status, and threw for a 401.");
  },
};

const otherwise: AdapterCase = {
  name: "retries what isUnauthorized says, in place of a 401",
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
      holdStatus(
        await scene.send({ url: "/", read: "json" }, { tokens: session.tokens, isUnauthorized }),
        200,
        "retry",
      );
      holdTokens(api, [first, next], "retry");
    }
    api.respond = () => UNAUTHORIZED;
    holdStatus(await scene.send({ url: "/" }, { isUnauthorized }), 401, "retry");
    holdExchanges(scene.session, 0, "retry");
  },
};

export const retryingCases: readonly AdapterCase[] = [
  retried,
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
