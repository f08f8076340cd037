import { accepting, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, holdExchanges, holdStatus, holdTokens } from "./hold.ts";

const without: AdapterCase = {
  name: "perRequest({ tokens: false }): sends one request without the token, and leaves its 401 alone",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => UNAUTHORIZED;
    const client = await scene.connect();
    holdStatus(await sendWith(client, { url: "/", settings: { tokens: false } }), 401, "request");
    holdTokens(api, [undefined], "request");
    holdExchanges(session, 0, "request");
    api.respond = () => ({ status: 200 });
    await sendWith(client, { url: "/" });
    holdTokens(api, [undefined, session.accessToken(1)], "request");
  },
};

const another: AdapterCase = {
  name: "perRequest({ tokens }): sends one request with another manager's token, and renews that one",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    const second = await scene.createSession({ owner: "second-" });
    api.respond = accepting(second.accessToken(2));
    const client = await scene.connect();
    holdStatus(await sendWith(client, { url: "/", settings: { tokens: second.tokens } }), 200, "request");
    holdTokens(api, [second.accessToken(1), second.accessToken(2)], "request");
    holdExchanges(second, 1, "request");
    holdExchanges(session, 0, "request");
    const elsewhere = { url: scene.other.origin, settings: { tokens: second.tokens } };
    await sendWith(client, elsewhere);
    holdTokens(scene.other, [undefined], "origins");
  },
};

const unrepeated: AdapterCase = {
  name: "perRequest({ retry: false }): hands out a request's 401 at once, and renews the token for the next call",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const client = await scene.connect();
    holdStatus(await sendWith(client, { url: "/", settings: { retry: false } }), 401, "request");
    holdTokens(api, [session.accessToken(1)], "request");
    await eventually(
      () => session.exchanges === 1,
      "request",
      "The 401 of a request that is not retried renewed nothing.",
    );
    holdStatus(await sendWith(client, { url: "/" }), 200, "request");
  },
};

export const settingsCases: readonly AdapterCase[] = [without, another, unrepeated];
