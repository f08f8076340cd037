import { join } from "node:path";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { PgBoss } from "pg-boss";
import { expect, it, onTestFinished, vi } from "vitest";
import { Database } from "./trials/database.ts";
import { Program } from "./trials/program.ts";
import { Provider } from "./trials/provider.ts";

const database = Database.use();

it("runs jobs with the tokens of their users, again later if that can help, and not if a user has to sign in", async () => {
  await using provider = await Provider.start();
  await using sessions = database.sessions();
  const users = ["ada", "bob", "cleo"];
  for (const user of users) await sessions.signIn(user, { ...provider.signIn(user), expiresAt: 1 });
  provider.issuer.next({ status: 503, headers: { "retry-after": "1" }, body: { error: "temporarily_unavailable" } });
  const env = { DATABASE_URL: database.url, ISSUER: provider.origin, API: provider.origin };
  await using worker = new Program(join(import.meta.dirname, "queue.ts"), env);
  await worker.line();
  const boss = new PgBoss({ connectionString: database.url, supervise: false, schedule: false });
  boss.on("error", () => {});
  await boss.start();
  onTestFinished(() => boss.stop({ graceful: false }));
  const sent = [...users, "eve"].map(async (userId) => [userId, await boss.send("sync", { userId })] as const);
  for (const [user, id] of await Promise.all(sent)) {
    const output = user === "eve" ? { error: "The user has to connect the account again." } : { user };
    await vi.waitFor(async () => {
      const [job] = await boss.findJobs("sync", { id: id ?? "" });
      expect(job).toMatchObject({ state: "completed", output });
    }, 20_000);
  }
  expect(provider.issuer).toMatchObject({ exchanges: users.length, revoked: 0 });
  expect(await worker.stop()).toBe(0);
  expect(worker.output).not.toContain(CANARY);
});
