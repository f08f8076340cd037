import { hold } from "../../contract.ts";
import { UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { holdCode, holdExchanges, holdSame, holdStatus, holdTokens, thrown } from "./hold.ts";

const attached: AdapterCase = {
  name: "attaches the token to a request to one of the origins",
  async run(scene) {
    holdStatus(await scene.send({ url: "/things" }), 200, "attach");
    holdTokens(scene.api, [scene.session.accessToken(1)], "attach");
  },
};

const renewedBefore: AdapterCase = {
  name: "renews an expired token before it sends the request",
  async run(scene) {
    const expired = await scene.createSession({ owner: "expired-", expired: true });
    holdStatus(await scene.send({ url: "/" }, { tokens: expired.tokens }), 200, "attach");
    holdTokens(scene.api, [expired.accessToken(2)], "attach");
    holdExchanges(expired, 1, "attach");
  },
};

const own: AdapterCase = {
  name: "keeps the caller's own Authorization, and leaves its 401 alone",
  async run(scene) {
    scene.api.respond = () => UNAUTHORIZED;
    holdStatus(await scene.send({ url: "/", headers: { authorization: "Basic own" } }), 401, "own");
    const seen = scene.api.received.map(({ authorization }) => authorization ?? "none");
    holdSame(seen, ["Basic own"], { clause: "own", what: "The Authorization headers that the server saw" });
    holdExchanges(scene.session, 0, "own");
  },
};

const signedOut: AdapterCase = {
  name: "throws the token manager's error where the user has to sign in, and sends nothing",
  async run(scene) {
    await scene.session.tokens.signOut();
    const call = scene.send({ url: "/" });
    holdCode(
      await thrown(scene, call, { clause: "renewal", what: "Nobody is signed in" }),
      "SIGN_IN_REQUIRED",
      "renewal",
    );
    holdTokens(scene.api, [], "attach");
  },
};

const unreachable: AdapterCase = {
  name: "throws the token manager's error where an expired token cannot be renewed, and sends nothing",
  async run(scene) {
    const expired = await scene.createSession({ expired: true });
    expired.fail({ status: 503, sent: true });
    const call = scene.send({ url: "/" }, { tokens: expired.tokens });
    holdCode(
      await thrown(scene, call, { clause: "renewal", what: "The token endpoint was down" }),
      "REFRESH_FAILED",
      "renewal",
    );
    holdTokens(scene.api, [], "attach");
  },
};

const separate: AdapterCase = {
  name: "keeps two managers on two clients apart",
  async run(scene) {
    const second = await scene.createSession({ owner: "second-" });
    const clients = [await scene.connect(), await scene.connect({ tokens: second.tokens })] as const;
    for (const client of [clients[0], clients[1], clients[0]]) await sendWith(client, { url: "/" });
    const [mine, theirs] = [scene.session.accessToken(1), second.accessToken(1)];
    holdTokens(scene.api, [mine, theirs, mine], "instance");
    scene.api.respond = ({ authorization = "" }) => (authorization.endsWith("1") ? UNAUTHORIZED : { status: 200 });
    const outcomes = await Promise.all(clients.map((client) => sendWith(client, { url: "/" })));
    hold(
      outcomes.every(({ status }) => status === 200),
      "instance",
      "Two clients at once: one was not answered with 200.",
    );
    for (const { exchanges } of [scene.session, second]) {
      hold(
        exchanges === 1,
        "instance",
        () => `A 401 of one client led to ${exchanges} exchanges of its session, and not 1.`,
      );
    }
  },
};

export const attachingCases: readonly AdapterCase[] = [attached, renewedBefore, own, signedOut, unreachable, separate];
