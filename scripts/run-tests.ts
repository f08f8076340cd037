/**
 * Runs all tests, and looks for their tokens in everything that they print. With `UNEXPIRED_EXHAUSTIVE=1` the built
 * packages are checked first, and the proofs follow. The last line counts tests and proofs: `N passed, N failed`.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { CANARY } from "../verification/test-support/canary.ts";
import { ciProofs, prove } from "./proofs.ts";
import { root } from "./workspace.ts";

/** The last line of the tests. It is held back: only the last line of all is to look like this. */
const COUNTS = /^(\d+) passed, (\d+) failed\n/m;

const isExhaustive = process.env.UNEXPIRED_EXHAUSTIVE === "1";
if (isExhaustive) {
  const { status } = spawnSync("pnpm check:built", { cwd: root, shell: true, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}

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
    out.write(text.replace(COUNTS, ""));
  });
}

/** The lines that show a token. Those of a test that fails may: its values are printed. */
function leaksIn(output: string): string[] {
  const leaks = output.split("\n").filter((line) => line.includes(CANARY));
  return leaks.map((line) => `  ${line.replaceAll(new RegExp(`${CANARY}\\S*`, "g"), "[token]")}\n`);
}

const [code] = await once(child, "close");
const [, passed = 0, failed = 0] = (COUNTS.exec(printed) ?? []).map(Number);
const leaks = code === 0 ? leaksIn(printed) : [];
if (leaks.length > 0) process.stdout.write(`\nTokens of the tests were printed:\n${leaks.join("")}`);

const print = (line: string) => process.stdout.write(line);
const proofs = await prove(isExhaustive ? ciProofs(Date.now()) : [], print);
const allFailed = (code === 0 ? failed : Math.max(failed, 1)) + leaks.length + proofs.failed;
print(`${passed + proofs.passed} passed, ${allFailed} failed\n`);
process.exitCode = allFailed > 0 ? 1 : 0;
