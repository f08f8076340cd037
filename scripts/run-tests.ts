/** Runs all tests, and looks for their tokens in everything that is printed meanwhile. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { CANARY } from "../verification/end-to-end/support/canary.ts";
import { root } from "./workspace.ts";

const vitest = join(root, "node_modules/vitest/vitest.mjs");
const child = spawn(process.execPath, [vitest, "run", ...process.argv.slice(2)], {
  stdio: ["ignore", "pipe", "pipe"],
  // The tests start hundreds of processes: with what others have compiled each starts in half the time.
  env: { ...process.env, NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compile") },
});

let printed = "";
for (const [stream, out] of [
  [child.stdout, process.stdout],
  [child.stderr, process.stderr],
] as const) {
  stream.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    out.write(text);
  });
}

child.once("close", (code) => {
  process.exitCode = code ?? 1;
  const leaks = printed.split("\n").filter((line) => line.includes(CANARY));
  if (process.exitCode !== 0 || leaks.length === 0) return;
  process.exitCode = 1;
  const where = leaks.map((line) => `  ${line.replaceAll(new RegExp(`${CANARY}\\S*`, "g"), "[token]")}`).join("\n");
  process.stdout.write(`\nTokens of the tests were printed:\n${where}\n0 passed, ${leaks.length} failed\n`);
});
