import { setTimeout as sleep } from "node:timers/promises";
import { hold } from "../../contract.ts";
import { createGate } from "../../gate.ts";
import type { Outcome } from "../harness.ts";
import { accepting } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { caught, eventually, holdExchanges, holdStatus, holdTokens, nameOf } from "./hold.ts";

const SOON = 5_000; // ms

/** Holds where the call ends soon, with the client's own abort error. */
async function holdAborted(scene: AdapterScene, call: Promise<Outcome>, when: string): Promise<void> {
  const controller = new AbortController();
  const what = `The caller aborted ${when}`;
  const error = await Promise.race([
    caught(call, { clause: "abort", what }),
    sleep(SOON, "late" as const, { signal: controller.signal }),
  ]);
  controller.abort();
  hold(error !== "late", "abort", `${what}, and the call had not ended ${SOON} ms later.`);
  const isOwn = scene.harness.isAbort(error);
  hold(isOwn, "abort", () => `${what}, and the call threw ${nameOf(error)}, which is not the client's own error.`);
}

const before: AdapterCase = {
  name: "sends nothing where the caller has aborted before",
  async run(scene) {
    await holdAborted(scene, scene.send({ url: "/", signal: AbortSignal.abort() }), "before");
    holdTokens(scene.api, [], "abort");
    const expired = await scene.createSession({ expired: true });
    const call = scene.send({ url: "/", signal: AbortSignal.abort() }, { tokens: expired.tokens });
    await holdAborted(scene, call, "before, with an expired token");
    holdTokens(scene.api, [], "abort");
  },
};

const inFlight: AdapterCase = {
  name: "ends the call at once where the caller aborts during the request",
  async run(scene) {
    const controller = new AbortController();
    const answer = createGate();
    scene.api.respond = async () => {
      controller.abort();
      await answer.opened;
      return { status: 200 };
    };
    await holdAborted(scene, scene.send({ url: "/", signal: controller.signal }), "during the request");
    answer.open();
    holdExchanges(scene.session, 0, "abort");
  },
};

/** Aborts while the token is renewed, and looks what becomes of the renewal. */
async function abortRenewal(scene: AdapterScene, expired: boolean): Promise<void> {
  const { api } = scene;
  const session = await scene.createSession({ owner: "aborted-", expired });
  const resume = session.pause();
  api.respond = accepting(session.accessToken(2));
  const controller = new AbortController();
  const client = await scene.connect({ tokens: session.tokens });
  const call = sendWith(client, { url: "/", signal: controller.signal });
  call.catch(() => {}); // it is looked at below
  await eventually(() => session.exchanges === 1, "renewal", "The token was not renewed.");
  controller.abort();
  await holdAborted(scene, call, "during the renewal").finally(resume);
  holdStatus(await sendWith(client, { url: "/" }), 200, "abort");
  holdExchanges(session, 1, "abort");
  holdTokens(api, [...(expired ? [] : [session.accessToken(1)]), session.accessToken(2)], "abort");
}

const duringRenewal: AdapterCase = {
  name: "ends the call at once where the caller aborts during the renewal after a 401; the renewal goes on",
  run: (scene) => abortRenewal(scene, false),
};

const duringFirst: AdapterCase = {
  name: "ends the call at once where the caller aborts during the renewal before the request; the renewal goes on",
  run: (scene) => abortRenewal(scene, true),
};

const duringRetry: AdapterCase = {
  name: "ends the call at once where the caller aborts during the second try",
  async run(scene) {
    const controller = new AbortController();
    const answer = createGate();
    scene.api.respond = async (received, index) => {
      if (index === 0) return accepting()(received);
      controller.abort();
      await answer.opened;
      return { status: 200 };
    };
    await holdAborted(scene, scene.send({ url: "/", signal: controller.signal }), "during the second try");
    answer.open();
  },
};

export const abortCases: readonly AdapterCase[] = [before, inFlight, duringRenewal, duringFirst, duringRetry];
