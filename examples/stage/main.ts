/** Runs the four example programs at the same time, and prints their tables. `pnpm show:programs` */
import { join } from "node:path";
import { Program } from "./program.ts";

const PROGRAMS = ["agent", "agent-pool", "cli", "desktop"];

const running = PROGRAMS.map((name) => new Program(join(import.meta.dirname, "..", name, "main.ts")));
const codes = await Promise.all(running.map(({ ended }) => ended));
for (const { output } of running) console.log(`${output}\n`);
const results = running.map(({ lines }) => /(\d+) of (\d+) disturbances/.exec(lines.at(-1) ?? ""));
const sum = (index: 1 | 2) => results.reduce((total, result) => total + Number(result?.[index] ?? 0), 0);
console.log(`${PROGRAMS.length} programs: ${sum(1)} of ${sum(2)} disturbances survived`);
if (codes.some((code) => code !== 0)) process.exitCode = 1;
