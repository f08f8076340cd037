import type { RejectingResponse, TokenSource } from "@unexpired/core";
import { expectThat } from "../../contract.ts";
import type { AdapterCase } from "./case.ts";
import { expectExchanges, expectStatus, expectTokens } from "./expect.ts";

const RETRY_AFTER = "7";

const limited: AdapterCase = {
  name: "retries a status that the token source names, once, and tells the source what the response said",
  async run(scene) {
    const { api, session } = scene;
    const responses: (RejectingResponse | undefined)[] = [];
    const tokens: TokenSource = {
      getTokenSet: (options) => session.tokens.getTokenSet(options),
      replaceRejected(accessToken, options) {
        responses.push(options?.response);
        return session.tokens.replaceRejected(accessToken, options);
      },
      isRejection: (status) => status === 429,
    };
    api.respond = () => ({ status: 429, headers: { "retry-after": RETRY_AFTER } });
    expectStatus(await scene.send({ url: "/" }, { tokens }), 429, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    expectExchanges(session, 1, "retry");
    const [response] = responses;
    expectThat(response?.status === 429, "retry", () => `The source was told the status ${response?.status}.`);
    const header = response.headers?.get("retry-after");
    expectThat(header === RETRY_AFTER, "retry", () => `The source was told the Retry-After ${header}.`);
  },
};

export const rejectionCases: readonly AdapterCase[] = [limited];
