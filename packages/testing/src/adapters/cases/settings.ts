import { accepting, UNAUTHORIZED } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, expectExchanges, expectStatus, expectTokens } from "./expect.ts";

const without: AdapterCase = {
  name: "sends one request without the token with perRequest({ tokens: false }), and does not retry its 401",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = () => UNAUTHORIZED;
    const client = await scene.connect();
    expectStatus(await sendWith(client, { url: "/", settings: { tokens: false } }), 401, "request");
    expectTokens(api, [undefined], "request");
    expectExchanges(session, 0, "request");
    api.respond = () => ({ status: 200 });
    await sendWith(client, { url: "/" });
    expectTokens(api, [undefined, session.accessToken(1)], "request");
  },
};

const another: AdapterCase = {
  name: "sends and refreshes another manager's token for one request with perRequest({ tokens })",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    const second = await scene.createSession({ owner: "second-" });
    api.respond = accepting(second.accessToken(2));
    const client = await scene.connect();
    expectStatus(await sendWith(client, { url: "/", settings: { tokens: second.tokens } }), 200, "request");
    expectTokens(api, [second.accessToken(1), second.accessToken(2)], "request");
    expectExchanges(second, 1, "request");
    expectExchanges(session, 0, "request");
    const elsewhere = { url: scene.other.origin, settings: { tokens: second.tokens } };
    await sendWith(client, elsewhere);
    expectTokens(scene.other, [undefined], "origins");
  },
};

const unrepeated: AdapterCase = {
  name: "returns a 401 immediately with perRequest({ retry: false }), and refreshes the token for the next call",
  needs: ["perRequest"],
  async run(scene) {
    const { api, session } = scene;
    api.respond = accepting(session.accessToken(2));
    const client = await scene.connect();
    expectStatus(await sendWith(client, { url: "/", settings: { retry: false } }), 401, "request");
    expectTokens(api, [session.accessToken(1)], "request");
    await eventually(
      () => session.exchanges === 1,
      "request",
      "The 401 of a request that is not retried did not refresh the token.",
    );
    expectStatus(await sendWith(client, { url: "/" }), 200, "request");
  },
};

export const settingsCases: readonly AdapterCase[] = [without, another, unrepeated];
