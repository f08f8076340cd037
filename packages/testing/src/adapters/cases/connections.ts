import { expectThat, throwViolation } from "../../contract.ts";
import { sendWith } from "../scene.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { expectTokens } from "./expect.ts";

const elsewhere: AdapterCase = {
  name: "sends no token if an option of the request connects it to a server other than that of its URL",
  needs: ["connectTo"],
  async run(scene) {
    const { api, other, session } = scene;
    const client = await scene.connect();
    await sendWith(client, { url: "/", connectTo: other.origin }).catch(throwViolation); // the adapter may refuse it
    const isRevealed = other.received.some(({ authorization }) => authorization?.includes(CANARY));
    expectThat(!isRevealed, "origins", "A request that an option connected to another server carried the token.");
    expectThat(
      api.received.length === 0,
      "origins",
      "The harness did not connect a request to the server in connectTo.",
    );
    await sendWith(client, { url: "/" });
    expectTokens(api, [session.accessToken(1)], "origins");
  },
};

export const connectionCases: readonly AdapterCase[] = [elsewhere];
