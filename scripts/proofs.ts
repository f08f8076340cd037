import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { root } from "./workspace.ts";

/** A script of package.json and its arguments: the command that repeats the proof. */
export type Proof = readonly [script: keyof typeof PROGRAMS, ...args: string[]];

const PROGRAMS = {
  simulate: "verification/simulation/main.ts",
  "inject-faults": "verification/fault-injection/main.ts",
  "show:machines": "verification/machines/main.ts",
  "show:servers": "verification/servers/main.ts",
  "show:clients": "verification/clients/main.ts",
  "show:databases": "verification/databases/main.ts",
  "show:programs": "examples/stage/main.ts",
  "example:mcp": "examples/mcp/main.ts",
  "conformance:mcp": "verification/mcp-conformance/main.ts",
  "count:auth": "scripts/count-auth.ts",
};

/** The default campaign plays the first seeds; these are seeds that hardly any run has played before. */
const freshSeed = (): string => String(randomInt(1_000_000, 2_000_000_000));

const DAY = 24 * 60 * 60 * 1000;

/** The proofs of every CI run. The mutants rotate by day, a quarter at a time. */
export const ciProofs = (now: number): Proof[] => [
  ["simulate"],
  ["simulate", "--seed", freshSeed(), "--runs", "5000"],
  ["simulate", "--mutants", "--share", `${1 + (Math.floor(now / DAY) % 4)}/4`],
  ["inject-faults", "--seed", freshSeed(), "--rounds", "20"],
  ["show:machines"],
  ["show:servers"],
  ["show:clients"],
  ["show:programs"],
  ["example:mcp", "--seconds", "4"],
  ["conformance:mcp", "--quick"],
  ["count:auth"],
];

/** The proofs of the nightly workflow. */
export const nightlyProofs = (): Proof[] => [
  ["simulate", "--seed", freshSeed(), "--runs", "200000"],
  ["simulate", "--mutants"],
  ["inject-faults", "--seed", freshSeed(), "--rounds", "200"],
  ["show:databases"],
];

/** These keep the processors busy; the others mostly wait for processes, servers and timers. */
const COMPUTE: ReadonlySet<Proof[0]> = new Set(["simulate", "inject-faults"]);

/**
 * Runs the proofs, one that computes beside one that waits. Prints a line when one starts, so that a run that is cut off
 * shows the seeds, and a line with its outcome, or all of its output if it fails.
 */
export async function prove(proofs: readonly Proof[], print: (line: string) => unknown) {
  const computing = proofs.filter(([script]) => COMPUTE.has(script));
  const waiting = proofs.filter(([script]) => !COMPUTE.has(script));
  const passed = await Promise.all([computing, waiting].map((row) => countOfPassed(row, print)));
  const sum = passed.reduce((all, count) => all + count, 0);
  return { passed: sum, failed: proofs.length - sum };
}

async function countOfPassed(proofs: readonly Proof[], print: (line: string) => unknown): Promise<number> {
  let passed = 0;
  for (const proof of proofs) if (await holds(proof, print)) passed++;
  return passed;
}

async function holds([script, ...args]: Proof, print: (line: string) => unknown): Promise<boolean> {
  const command = `pnpm ${[script, ...args].join(" ")}`;
  print(`started: ${command}\n`);
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAMS[script], ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  const seconds = Math.round((performance.now() - started) / 1000);
  const isProved = status === 0;
  const output = isProved ? stdout.trimEnd().split("\n").at(-1) : `FAILED\n${stdout}${stderr}`;
  print(`proof: ${command}: ${output} (${seconds} s)\n`);
  return isProved;
}
