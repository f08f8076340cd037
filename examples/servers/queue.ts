import { isAuthError } from "@unexpired/core";
import { PgBoss } from "pg-boss";
import { getProfile } from "./api.ts";
import { close, runAs } from "./sessions.ts";

const boss = new PgBoss(process.env.DATABASE_URL ?? "");
boss.on("error", (error) => console.error(error.message));
await boss.start();
await boss.createQueue("sync", { retryLimit: 5, retryBackoff: true });

await boss.work<{ userId: string }>("sync", { pollingIntervalSeconds: 0.5 }, async ([job]) => {
  if (!job) return;
  try {
    return await runAs(job.data.userId, getProfile);
  } catch (error) {
    if (!isAuthError(error)) throw error; // the queue tries again later
    return { error: "The user has to connect the account again." }; // trying again would not help
  }
});
console.log("Working.");

process.once("SIGTERM", async () => {
  await boss.stop(); // waits for the jobs that are running
  await close();
});
