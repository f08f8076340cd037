import { outcome } from "@unexpired-internal/tables/outcome";
import { until } from "../../servers/until.ts";
import type { Row } from "../row.ts";

const USERS = 1_000;
/** The time that an exchange takes, in milliseconds: long enough for all of them to begin through two connections. */
const LATENCY = 6_000;

export const poolRows: readonly Row[] = [
  {
    situation: "a pool of 2 connections, and 1,000 users whose tokens have expired ask at once",
    expected: {
      happened:
        /^1000 exchanges, 0 replays, 0 revoked; while \d{3,4} were in flight, another user had a session: false$/,
      saw: "1000 of 1000 got a token",
    },
    async run(scene) {
      const member = scene.start({ connections: 2 });
      const users = Array.from({ length: USERS }, (_, user) => user);
      await Promise.all(users.map((user) => scene.signIn(member, user)));
      for (const _ of users) scene.issuer.next({ delay: LATENCY });
      const results = users.map((user) => outcome(member.sessions.get(scene.key(user)).getAccessToken()));
      await until(() => scene.issuer.requests.length === USERS);
      const inFlight = scene.issuer.requests.length;
      const free = await outcome(member.sessions.get(scene.key("other")).hasSession());
      const got = (await Promise.all(results)).filter((result) => result === "a token").length;
      return {
        saw: `${got} of ${USERS} got a token`,
        happened: `${scene.exchanges}; while ${inFlight} were in flight, another user had a session: ${free}`,
      };
    },
  },
];
