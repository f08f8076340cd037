/** Rows about what a response of the token endpoint means. */

import { ALL, connect } from "./clients.ts";
import { describeRecord, outcome } from "./describe.ts";
import type { Expected, Row } from "./row.ts";
import type { Scene, Session, SessionOptions } from "./scene.ts";
import { onEach, outcomeOf } from "./through-clients.ts";
import type { Reply } from "./token-server.ts";

/** A call, or a time that passes, in seconds. */
type Step = "get" | "refresh" | number;

/** A response of the token endpoint, and what has to come of it. */
export interface VerdictRow {
  readonly situation: string;
  readonly reply: Reply | readonly Reply[];
  readonly expected: Expected;
  readonly session?: SessionOptions;
  /**
   * The calls. The verdict is read after the first call. Default: `getAccessToken()`, and again after the
   * back-off; if the access token is usable, `refresh()` twice, and then `getAccessToken()`.
   */
  readonly steps?: readonly Step[];
}

const EXPIRED: readonly Step[] = ["get", 2, "get"];
const USABLE: readonly Step[] = ["refresh", 2, "refresh", "get"];

async function play({ clock, tokens }: Session, step: Step): Promise<string[]> {
  if (typeof step === "string") return [await outcome(step === "get" ? tokens.getAccessToken() : tokens.refresh())];
  await clock.advance(step * 1000);
  return [];
}

/** Creates a row that shows the verdict that is stored, and what the caller gets: from the manager, and through each client. */
export const verdictRow = ({ situation, reply, session, expected, ...row }: VerdictRow): Row => ({
  situation,
  expected,
  async run(scene) {
    const isUsable = session?.isUsable === true;
    const start = async () => {
      const started = await scene.session(session);
      started.server.next(...[reply].flat());
      return started;
    };
    const [first = "get", ...rest] = row.steps ?? (isUsable ? USABLE : EXPIRED);
    const started = await start();
    const saw = await play(started, first);
    const happened = describeRecord(await started.record());
    for (const step of rest) saw.push(...(await play(started, step)));
    const { exchanges } = started.server;
    const requested = await request(scene, isUsable ? async () => started : start, saw[0] ?? "");
    return { happened, saw: `${saw.join("; ")}; ${exchanges}; a request: ${requested}` };
  },
});

/** Sends a request through each client. An outcome that equals the first call's is not repeated. */
const request = (scene: Scene, start: () => Promise<Session>, first: string): Promise<string> =>
  onEach(ALL, async (name) => {
    const { origin } = scene.api;
    const { tokens } = await start();
    const send = connect(name, scene.packed, { tokens, origins: [origin] });
    const result = scene.tidy(await outcomeOf(scene.packed, send({ url: `${origin}/` })));
    return result === scene.tidy(first) ? "the same" : result;
  });
