import { setTimeout as wait } from "node:timers/promises";
import { outcome } from "@unexpired-internal/tables/outcome";
import { until } from "../../servers/until.ts";
import type { Row } from "../row.ts";
import type { Member, Scene } from "../scene.ts";

const MEMBERS = 4;
const OUTAGE = 4_000; // ms
const RECONNECT_PAUSE = 500; // ms
const RECONNECTS = 10;

/** The results of a call in all processes, each named once. */
const distinct = async (results: readonly Promise<string>[]): Promise<string> =>
  [...new Set(await Promise.all(results.map(outcome)))].join("; ");

/** The result once clients have connected again, for which they may take seconds. */
async function settled(call: () => Promise<string>): Promise<string> {
  let result = await call();
  for (let attempt = 0; attempt < RECONNECTS && result !== "a token"; attempt++) {
    await wait(RECONNECT_PAUSE);
    result = await call();
  }
  return result;
}

/** The events of processes, by type, without those about states. */
const eventsOf = (members: readonly Member[]): string =>
  [...new Set(members.flatMap(({ events }) => events.map(({ type }) => type)))]
    .filter((type) => /^(save|rotation|session)-/.test(type))
    .join(", ");

/** Disturbs the database in the middle of the exchange of one of four processes that ask for the token of a user. */
async function inMidExchange(scene: Scene, disturb: () => Promise<unknown>) {
  const members = Array.from({ length: MEMBERS }, () => scene.start());
  const [first] = members as [Member];
  await scene.signIn(first, "ada");
  scene.issuer.next({ delay: 1_000 });
  const tokenOf = ({ sessions }: Member) => sessions.get(scene.key("ada")).getAccessToken();
  const claimed = tokenOf(first);
  await until(() => scene.issuer.requests.length === 1);
  const waiting = members.slice(1).map(tokenOf);
  const ended = disturb();
  const saw = `the process that refreshes: ${await outcome(claimed)}; those that wait: ${await distinct(waiting)}`;
  await ended;
  const after = await settled(() => distinct(members.map(tokenOf)));
  const later = scene.start();
  const stored = (await tokenOf(later)) === (await claimed) ? "a later process has its token" : "the token was lost";
  return { saw, happened: `${scene.exchanges}; afterwards ${after}; ${stored}; ${eventsOf(members)}` };
}

const KEPT = "1 exchanges, 0 replays, 0 revoked; afterwards a token; a later process has its token";
const REFRESHED =
  /^the process that refreshes: a token; those that wait: (a token|a token; STORE_UNAVAILABLE: .*|STORE_UNAVAILABLE: .*)$/;

export const outageRows: readonly Row[] = [
  {
    situation: "restarted in the middle of an exchange",
    expected: { happened: KEPT, saw: REFRESHED },
    run: (scene) => inMidExchange(scene, () => scene.database.restart()),
  },
  {
    situation: "stopped (SIGSTOP) in the middle of an exchange, for 4 s",
    expected: { happened: KEPT, saw: REFRESHED },
    run: (scene) =>
      inMidExchange(scene, async () => {
        scene.database.pause();
        await wait(OUTAGE).finally(() => scene.database.resume());
      }),
  },
  {
    situation: "refuses connections from the middle of an exchange on, for 4 s",
    expected: { happened: KEPT, saw: REFRESHED },
    run: (scene) =>
      inMidExchange(scene, async () => {
        await scene.database.stop();
        await wait(OUTAGE).finally(() => scene.database.start());
      }),
  },
  {
    situation: "out of reach before the refresh",
    expected: { happened: "0 exchanges, 0 replays, 0 revoked; afterwards a token", saw: "STORE_UNAVAILABLE" },
    async run(scene) {
      const member = scene.start();
      await scene.signIn(member, "ada");
      await scene.database.stop();
      const ada = member.sessions.get(scene.key("ada"));
      const saw = await outcome(ada.getAccessToken());
      const before = scene.exchanges;
      await scene.database.start();
      return { saw, happened: `${before}; afterwards ${await outcome(ada.getAccessToken())}` };
    },
  },
  {
    situation:
      "the process that refreshes is closed while the database is out of reach, and its tokens cannot be saved",
    expected: {
      happened: /1 exchanges, 0 replays, 0 revoked/,
      saw: /^a token; close: STORE_UNAVAILABLE: .* so the refreshed session was not saved/,
    },
    async run(scene) {
      const member = scene.start();
      await scene.signIn(member, "ada");
      scene.issuer.next({ delay: 500 });
      const token = member.sessions.get(scene.key("ada")).getAccessToken();
      await until(() => scene.issuer.requests.length === 1);
      await scene.database.stop();
      const [got, closed] = [await outcome(token), await outcome(member.sessions.close())];
      await scene.database.start();
      return { saw: `${got}; close: ${closed}`, happened: scene.exchanges };
    },
  },
];
