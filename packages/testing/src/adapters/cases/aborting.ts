import { setTimeout as sleep } from "node:timers/promises";
import { expectThat } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import type { Outcome } from "../harness.ts";
import { accepting } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { describeError, eventually, expectExchanges, expectFailure, expectStatus, expectTokens } from "./expect.ts";

const SOON = 5_000; // ms

/** Expects the call to end soon, with the client's own abort error. */
async function expectAborted(scene: AdapterScene, call: Promise<Outcome>, when: string): Promise<void> {
  const controller = new AbortController();
  const what = `The caller aborted ${when}`;
  const error = await Promise.race([
    expectFailure(call, { clause: "abort", what }),
    sleep(SOON, "late" as const, { signal: controller.signal }),
  ]);
  controller.abort();
  expectThat(error !== "late", "abort", `${what}, but the call had not ended ${SOON} ms later.`);
  const isOwn = scene.harness.isAbort(error);
  expectThat(
    isOwn,
    "abort",
    () => `${what}, but the call threw ${describeError(error)}, which is not the client's own error.`,
  );
}

const before: AdapterCase = {
  name: "sends nothing if the caller has already aborted",
  async run(scene) {
    await expectAborted(scene, scene.send({ url: "/", signal: AbortSignal.abort() }), "before the call");
    expectTokens(scene.api, [], "abort");
    const expired = await scene.createSession({ expired: true });
    const call = scene.send({ url: "/", signal: AbortSignal.abort() }, { tokens: expired.tokens });
    await expectAborted(scene, call, "before the call, with an expired token");
    expectTokens(scene.api, [], "abort");
  },
};

const inFlight: AdapterCase = {
  name: "ends the call immediately if the caller aborts during the request",
  async run(scene) {
    const controller = new AbortController();
    const responseGate = createGate();
    scene.api.respond = async () => {
      controller.abort();
      await responseGate.opened;
      return { status: 200 };
    };
    await expectAborted(scene, scene.send({ url: "/", signal: controller.signal }), "during the request");
    responseGate.open();
    expectExchanges(scene.session, 0, "abort");
  },
};

/** Aborts while the token is being refreshed, and expects the refresh to finish. */
async function abortRenewal(scene: AdapterScene, expired: boolean): Promise<void> {
  const { api } = scene;
  const session = await scene.createSession({ owner: "aborted-", expired });
  const resume = session.pause();
  api.respond = accepting(session.accessToken(2));
  const controller = new AbortController();
  const client = await scene.connect({ tokens: session.tokens });
  const call = sendWith(client, { url: "/", signal: controller.signal });
  call.catch(() => {}); // awaited below
  await eventually(() => session.exchanges === 1, "refresh", "The token was not refreshed.");
  controller.abort();
  await expectAborted(scene, call, "during the refresh").finally(resume);
  expectStatus(await sendWith(client, { url: "/" }), 200, "abort");
  expectExchanges(session, 1, "abort");
  expectTokens(api, [...(expired ? [] : [session.accessToken(1)]), session.accessToken(2)], "abort");
}

const duringRenewal: AdapterCase = {
  name: "ends the call immediately if the caller aborts during the refresh after a 401, and lets the refresh finish",
  run: (scene) => abortRenewal(scene, false),
};

const duringFirst: AdapterCase = {
  name: "ends the call immediately if the caller aborts during the refresh before the request, and lets the refresh finish",
  run: (scene) => abortRenewal(scene, true),
};

const duringRetry: AdapterCase = {
  name: "ends the call immediately if the caller aborts during the retry",
  async run(scene) {
    const controller = new AbortController();
    const responseGate = createGate();
    scene.api.respond = async (received, index) => {
      if (index === 0) return accepting()(received);
      controller.abort();
      await responseGate.opened;
      return { status: 200 };
    };
    await expectAborted(scene, scene.send({ url: "/", signal: controller.signal }), "during the retry");
    responseGate.open();
  },
};

export const abortCases: readonly AdapterCase[] = [before, inFlight, duringRenewal, duringFirst, duringRetry];
