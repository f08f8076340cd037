import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { root } from "./workspace.ts";

/** A script of package.json and its arguments: the command that repeats the proof. */
export type Proof = readonly [script: keyof typeof PROGRAMS, ...args: string[]];

const PROGRAMS = {
  simulate: "verification/simulation/main.ts",
  "inject-faults": "verification/fault-injection/main.ts",
  "show:machines": "verification/machines/main.ts",
  "show:servers": "verification/servers/main.ts",
  "show:clients": "verification/clients/main.ts",
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
];

/** Runs the proofs one after another, and prints one line for each, or all of its output if it fails. */
export function prove(proofs: readonly Proof[], print: (text: string) => unknown) {
  const failed = proofs.filter((proof) => !holds(proof, print)).length;
  return { passed: proofs.length - failed, failed };
}

function holds([script, ...args]: Proof, print: (text: string) => unknown): boolean {
  print(`proof: pnpm ${[script, ...args].join(" ")}: `);
  const started = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAMS[script], ...args], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: Number.POSITIVE_INFINITY,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const seconds = Math.round((performance.now() - started) / 1000);
  const isProved = status === 0;
  const output = isProved ? stdout.trimEnd().split("\n").at(-1) : `FAILED\n${stdout}${stderr}`;
  print(`${output} (${seconds} s)\n`);
  return isProved;
}
