import { Readable } from "node:stream";
import { expectSuccess } from "../../contract.ts";
import { accepting } from "../resource-server.ts";
import { sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { expectStatus, expectTokens } from "./expect.ts";

const TIMEOUT = 5_000; // ms

const copied: AdapterCase = {
  name: "retries a 401 of which the caller's own fetch keeps an unread copy",
  needs: ["fetch"],
  async run(scene) {
    const { api, session, harness } = scene;
    const copies: Response[] = [];
    const client = await scene.connect({
      fetch: async (...call) => {
        const response = await fetch(...call);
        copies.push(response.clone());
        return response;
      },
    });
    api.respond = accepting(session.accessToken(2));
    // a client that has read the body would not notice
    const read = harness.unsupported?.stream === undefined ? "stream" : undefined;
    expectStatus(await sendWith(client, { url: "/", read }, TIMEOUT), 200, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
    for (const { body } of copies) void body?.cancel();
  },
};

const nodeStream: AdapterCase = {
  name: "retries a 401 whose body is a Node.js stream",
  needs: ["fetch"],
  async run(scene) {
    const { api, session } = scene;
    const client = await scene.connect({
      fetch: async (...call) => Object.defineProperty(await fetch(...call), "body", { value: Readable.from(["{}"]) }),
    });
    api.respond = accepting(session.accessToken(2));
    const call = sendWith(client, { url: "/" });
    const what = "A call through a fetch whose bodies are Node.js streams, as in node-fetch,";
    expectStatus(await expectSuccess(call, "retry", what), 200, "retry");
    expectTokens(api, [session.accessToken(1), session.accessToken(2)], "retry");
  },
};

export const anyFetchCases: readonly AdapterCase[] = [copied, nodeStream];
