import { accepting } from "../resource-server.ts";
import type { AdapterCase } from "./case.ts";
import { expectExchanges, expectStatus, expectTokens } from "./expect.ts";

const user: AdapterCase = {
  name: "does not retry a 401 for which the user has to authenticate again or otherwise",
  async run(scene) {
    const { api, session } = scene;
    for (const error of ["insufficient_user_authentication", "insufficient_claims"]) {
      api.received.length = 0;
      api.respond = () => ({
        status: 401,
        ...headersOf(`Basic realm="a, Bearer b", Bearer realm="c", error="${error}"`),
      });
      expectStatus(await scene.send({ url: "/" }), 401, "retry");
      expectTokens(api, [session.accessToken(1)], "retry");
      expectExchanges(session, 0, "retry");
    }
  },
};

const mentioned: AdapterCase = {
  name: "retries a 401 whose challenge only mentions insufficient_scope",
  async run(scene) {
    const { api, session } = scene;
    const header =
      'Basic realm="error=insufficient_scope", Bearer error="invalid_token", error_description="not insufficient_scope"';
    api.respond = (received) => ({ ...accepting(session.accessToken(2))(received), ...headersOf(header) });
    expectStatus(await scene.send({ url: "/" }), 200, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
  },
};

const headersOf = (header: string) => ({ headers: { "www-authenticate": header } });

export const challengeCases: readonly AdapterCase[] = [user, mentioned];
