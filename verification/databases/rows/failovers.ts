import { outcome } from "@unexpired-internal/tables/outcome";
import type * as tables from "@unexpired-internal/tables/row";
import { until } from "../../servers/until.ts";
import type { RedisDatabase } from "../redis.ts";
import type { Member, Scene } from "../scene.ts";

type Row = tables.Row<Scene<RedisDatabase>>;

const tokenOf = (scene: Scene<RedisDatabase>, member: Member) => member.sessions.get(scene.key("ada")).getAccessToken();
const hasRestored = (member: Member) => member.events.some(({ type }) => type === "session-restored");

export const failoverRows: readonly Row[] = [
  {
    situation: "fails over to a replica that lacks the last refresh; a process that knows it is running",
    expected: {
      happened: "1 exchanges, 0 replays, 0 revoked; restored by the process that knows it, before anything was sent",
      saw: "a later process: the same token",
    },
    async run(scene) {
      const [knows, idle] = [scene.start(), scene.start()];
      await scene.signIn(knows, "ada");
      const replica = await scene.database.startStaleReplica();
      const token = await tokenOf(scene, knows);
      await scene.database.failOver(replica);
      await until(() => hasRestored(knows));
      const by = hasRestored(knows) ? "restored by the process that knows it, before anything was sent" : "lost";
      const tokens = await Promise.all([tokenOf(scene, idle), tokenOf(scene, scene.start())]);
      const isSame = tokens.every((each) => each === token);
      return {
        saw: `a later process: ${isSame ? "the same token" : "another one"}`,
        happened: `${scene.exchanges}; ${by}`,
      };
    },
  },
  {
    situation: "the same, and a process that does not know it asks at once, before the other one has looked",
    expected: { happened: "1 exchanges, 0 replays, 0 revoked", saw: "the same token" },
    async run(scene) {
      const [knows, asks] = [scene.start(), scene.start()];
      await scene.signIn(knows, "ada");
      await asks.sessions.get(scene.key("ada")).hasSession();
      const replica = await scene.database.startStaleReplica();
      const token = await tokenOf(scene, knows);
      await scene.database.failOver(replica);
      const result = await tokenOf(scene, asks);
      return { saw: result === token ? "the same token" : "another one", happened: scene.exchanges };
    },
  },
  {
    situation: "the same, and no process that knows it is left: a later one presents the older token, once",
    expected: { happened: "1 exchanges, 1 replays, 1 revoked", saw: "SIGN_IN_REQUIRED" },
    async run(scene) {
      const knows = scene.start();
      await scene.signIn(knows, "ada");
      const replica = await scene.database.startStaleReplica();
      await tokenOf(scene, knows);
      await knows.close();
      await scene.database.failOver(replica);
      const later = [scene.start(), scene.start()];
      const results = await Promise.all(later.map((member) => outcome(tokenOf(scene, member))));
      return { saw: [...new Set(results)].join("; "), happened: scene.exchanges };
    },
  },
  {
    situation: "fails over to a replica that lacks a sign-out; the process that signed out is running",
    expected: { happened: "0 exchanges, 0 replays, 0 revoked; restored", saw: "SIGN_IN_REQUIRED signed_out" },
    async run(scene) {
      const member = scene.start();
      await scene.signIn(member, "ada");
      const replica = await scene.database.startStaleReplica();
      await member.sessions.signOut(scene.key("ada"));
      await scene.database.failOver(replica);
      await until(() => hasRestored(member));
      const saw = await outcome(tokenOf(scene, scene.start()));
      return { saw, happened: `${scene.exchanges}; ${hasRestored(member) ? "restored" : "lost"}` };
    },
  },
  {
    situation: "min-replicas-to-write 1, and the only replica is gone: nothing is sent that could be lost",
    expected: { happened: "0 exchanges, 0 replays, 0 revoked; afterwards a token", saw: "STORE_UNAVAILABLE" },
    async run(scene) {
      const member = scene.start();
      await scene.signIn(member, "ada");
      const { primary } = scene.database;
      await primary.command("config", "set", "min-replicas-to-write", "1");
      const saw = await outcome(tokenOf(scene, member));
      const before = scene.exchanges;
      await primary.command("config", "set", "min-replicas-to-write", "0");
      return { saw, happened: `${before}; afterwards ${await outcome(tokenOf(scene, member))}` };
    },
  },
];
