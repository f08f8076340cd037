import { expectSuccess, expectThat } from "../../contract.ts";
import { accepting, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { expectCode, expectExchanges, expectManagerError, expectSame, expectStatus, expectTokens } from "./expect.ts";

const attached: AdapterCase = {
  name: "attaches the token to a request to one of its origins",
  async run(scene) {
    expectStatus(await scene.send({ url: "/things" }), 200, "attach");
    expectTokens(scene.api, [scene.session.accessToken(1)], "attach");
  },
};

const renewedBefore: AdapterCase = {
  name: "refreshes an expired token before sending the request",
  async run(scene) {
    const expired = await scene.createSession({ owner: "expired-", expired: true });
    expectStatus(await scene.send({ url: "/" }, { tokens: expired.tokens }), 200, "attach");
    expectTokens(scene.api, [expired.accessToken(2)], "attach");
    expectExchanges(expired, 1, "attach");
  },
};

const otherType: AdapterCase = {
  name: "attaches a token of any type as Bearer",
  async run(scene) {
    const { api } = scene;
    const bot = await scene.createSession({ owner: "bot-", tokenType: "bot" });
    api.respond = accepting(bot.accessToken(2));
    const call = scene.send({ url: "/" }, { tokens: bot.tokens });
    expectStatus(await expectSuccess(call, "attach", 'A call with a token of type "bot"'), 200, "attach");
    expectTokens(api, [bot.accessToken(1), bot.accessToken(2)], "attach");
  },
};

const proof: AdapterCase = {
  name: "throws the token manager's error if the token needs a proof of possession, and sends nothing",
  async run(scene) {
    const { tokens } = await scene.createSession({ tokenType: "PoP" });
    const call = scene.send({ url: "/" }, { tokens });
    const what = "The token needs a proof of possession";
    expectCode(await expectManagerError(scene, call, { clause: "attach", what }), "CONFIGURATION", "attach");
    expectTokens(scene.api, [], "attach");
  },
};

const own: AdapterCase = {
  name: "keeps the caller's own Authorization header, and does not retry its 401",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    expectStatus(await scene.send({ url: "/", headers: { authorization: "Basic own" } }), 401, "own");
    const seen = scene.api.received.map(({ authorization }) => authorization ?? "none");
    expectSame(seen, ["Basic own"], { clause: "own", what: "The Authorization headers that the server received" });
    expectExchanges(scene.session, 0, "own");
  },
};

const signedOut: AdapterCase = {
  name: "throws the token manager's error if no user is signed in, and sends nothing",
  async run(scene) {
    await scene.session.tokens.signOut();
    const call = scene.send({ url: "/" });
    expectCode(
      await expectManagerError(scene, call, { clause: "refresh", what: "No user is signed in" }),
      "SIGN_IN_REQUIRED",
      "refresh",
    );
    expectTokens(scene.api, [], "attach");
  },
};

const unreachable: AdapterCase = {
  name: "throws the token manager's error if an expired token cannot be refreshed, and sends nothing",
  async run(scene) {
    const expired = await scene.createSession({ expired: true });
    expired.fail({ status: 503, sent: true });
    const call = scene.send({ url: "/" }, { tokens: expired.tokens });
    expectCode(
      await expectManagerError(scene, call, { clause: "refresh", what: "The token endpoint was down" }),
      "REFRESH_FAILED",
      "refresh",
    );
    expectTokens(scene.api, [], "attach");
  },
};

const separate: AdapterCase = {
  name: "keeps the sessions of two clients separate",
  async run(scene) {
    const second = await scene.createSession({ owner: "second-" });
    const clients = [await scene.connect(), await scene.connect({ tokens: second.tokens })] as const;
    for (const client of [clients[0], clients[1], clients[0]]) await sendWith(client, { url: "/" });
    const [mine, theirs] = [scene.session.accessToken(1), second.accessToken(1)];
    expectTokens(scene.api, [mine, theirs, mine], "instance");
    scene.api.respond = ({ authorization = "" }) => (authorization.endsWith("1") ? UNAUTHORIZED : { status: 200 });
    const outcomes = await Promise.all(clients.map((client) => sendWith(client, { url: "/" })));
    expectThat(
      outcomes.every(({ status }) => status === 200),
      "instance",
      "Of two concurrent calls on two clients, one did not end with status 200.",
    );
    for (const { exchanges } of [scene.session, second]) {
      expectThat(
        exchanges === 1,
        "instance",
        () => `A 401 of one client led to ${exchanges} exchanges of its session instead of 1.`,
      );
    }
  },
};

export const attachingCases: readonly AdapterCase[] = [
  attached,
  renewedBefore,
  otherType,
  proof,
  own,
  signedOut,
  unreachable,
  separate,
];
