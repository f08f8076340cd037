import { outcome } from "@unexpired-internal/tables/outcome";
import { faketimeSkipReason, jumpClock } from "@unexpired-internal/test-support/faketime";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";

const HOUR = 60 * 60_000;

/** Two clocks that a row moves separately. */
function movableClocks() {
  const offset = { wall: 0, monotonic: 0 };
  const clock = { now: () => Date.now() + offset.wall, monotonic: () => performance.now() + offset.monotonic };
  return { offset, clock };
}

/** The last exchange's token, if the caller got that one. */
async function latest(scene: Scene, result: Promise<string>): Promise<string> {
  const { tokens } = await scene.record();
  const token = await result.catch(() => undefined);
  if (token === undefined) return outcome(result);
  return token === (tokens as { accessToken: string }).accessToken ? "the latest token" : "an old token";
}

export const sleepRows: readonly Row[] = [
  {
    situation: "a laptop sleeps two hours right after a refresh; only the wall clock goes on",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      const tokens = scene.open({ clock });
      await tokens.getAccessToken();
      offset.wall = 2 * HOUR;
      const awake = tokens.getAccessToken();
      await awake.catch(() => {});
      return { saw: await latest(scene, awake), happened: scene.exchanges };
    },
  },
  {
    situation: "the same, and both clocks go on",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      const tokens = scene.open({ clock });
      await tokens.getAccessToken();
      Object.assign(offset, { wall: 2 * HOUR, monotonic: 2 * HOUR });
      const awake = tokens.getAccessToken();
      await awake.catch(() => {});
      return { saw: await latest(scene, awake), happened: scene.exchanges };
    },
  },
  {
    situation: "it sleeps with a token that another process had refreshed",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      await scene.open().getAccessToken();
      const tokens = scene.open({ clock });
      await tokens.getAccessToken();
      offset.wall = 2 * HOUR;
      const awake = tokens.getAccessToken();
      await awake.catch(() => {});
      return { saw: await latest(scene, awake), happened: scene.exchanges };
    },
  },
  {
    situation: "the API rejects the token after that sleep, which the process has not noticed",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      const tokens = scene.open({ clock });
      const rejected = await tokens.getAccessToken();
      offset.wall = 2 * HOUR;
      const replaced = tokens.replaceRejected(rejected);
      await replaced.catch(() => {});
      return { saw: await latest(scene, replaced), happened: scene.exchanges };
    },
  },
  {
    situation: "the wall clock is set back an hour after a refresh, three times; ten calls each",
    expected: { happened: /^[1-4] exchanges?, none presented twice, signed in/, saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      const tokens = scene.open({ clock });
      await tokens.getAccessToken();
      for (let call = 0; call < 30; call++) {
        if (call % 10 === 0) offset.wall -= HOUR;
        await tokens.getAccessToken();
      }
      return { saw: await latest(scene, tokens.getAccessToken()), happened: scene.exchanges };
    },
  },
  {
    situation: "a token is obtained while the clock is a day ahead; the clock is corrected, and an hour passes",
    expected: { happened: /^[23] exchanges, none presented twice, signed in/, saw: "the latest token" },
    async run(scene) {
      await scene.signIn();
      const { offset, clock } = movableClocks();
      const tokens = scene.open({ clock });
      offset.wall = 24 * HOUR;
      await tokens.getAccessToken();
      Object.assign(offset, { wall: HOUR, monotonic: HOUR });
      const later = tokens.getAccessToken();
      await later.catch(() => {});
      return { saw: await latest(scene, later), happened: scene.exchanges };
    },
  },
  {
    situation: "for real: the wall clock of a running process jumps two hours (libfaketime)",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "another token" },
    unable: faketimeSkipReason,
    async run(scene) {
      await scene.signIn();
      const { env, jump } = jumpClock(scene.directory);
      const member = await scene.member({ env });
      await member.do("token");
      const before = await scene.record();
      jump(2 * HOUR);
      const saw = await member.do("token");
      const after = await scene.record();
      const isNew = JSON.stringify(before.tokens) !== JSON.stringify(after.tokens);
      return {
        saw: saw === "a token" && isNew ? "another token" : `${saw} (stored: unchanged)`,
        happened: scene.exchanges,
      };
    },
  },
];
