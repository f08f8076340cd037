import { createTokenManager } from "@unexpired/core";
import { Bench } from "tinybench";

/** Measures the cost of returning a valid token, next to hand-written code, and that next to itself. */
const byHand = { token: "by-hand", expiresAt: Date.now() + 3_600_000 };
const getByHand = async () => {
  if (Date.now() >= byHand.expiresAt) throw new Error("expired");
  return byHand.token;
};

const tokens = createTokenManager();
await tokens.signIn({ accessToken: "managed", expiresAt: Date.now() + 3_600_000 });

const bench = new Bench({ time: 1_000, warmupTime: 250 })
  .add("by hand", async () => {
    await getByHand();
  })
  .add("by hand, again", async () => {
    await getByHand();
  })
  .add("getAccessToken", async () => {
    await tokens.getAccessToken();
  });
await bench.run();

const [reference = Number.NaN, ...others] = bench.tasks.map((task) =>
  "latency" in task.result ? task.result.latency.p50 : Number.NaN,
);
bench.tasks.slice(1).forEach((task, index) => {
  console.log(`${task.name}: ${((others[index] ?? Number.NaN) / reference).toFixed(2)} × by hand (median)`);
});
await tokens.close();
