/**
 * `pnpm conformance:mcp`: runs the official conformance suite of MCP on a client built on `mcpAuth`, with both lines of the SDK
 * and both ways to sign in. Fails if a scenario fails that applies. `--quick` runs two of the four clients.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { NOT_APPLICABLE } from "./not-applicable.ts";

const SUITE = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));
const SUITES = ["auth", "backcompat", "draft", "extensions"];
/** Milliseconds for each scenario. */
const TIMEOUT = 60_000;

const ALL = [
  { title: "1.x signIn", args: "1 signIn" },
  { title: "1.x onRedirect", args: "1 onRedirect" },
  { title: "2.x signIn", args: "2 signIn" },
  { title: "2.x onRedirect", args: "2 onRedirect" },
];
const CLIENTS = process.argv.includes("--quick") ? ALL.filter((_, index) => index % 3 === 0) : ALL;

interface Run {
  /** Whether each scenario has passed. */
  readonly passed: ReadonlyMap<string, boolean>;
  readonly output: string;
}

/** Runs a suite on a client. The suite starts one process for each scenario, all at once. */
async function run(suite: string, client: string): Promise<Run> {
  const args = [
    SUITE,
    "client",
    "--command",
    `node client.ts ${client}`,
    "--suite",
    suite,
    "--timeout",
    String(TIMEOUT),
  ];
  const cache = join(import.meta.dirname, "node_modules/.cache/compile");
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}`, NODE_COMPILE_CACHE: cache };
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  await once(child, "close");
  const lines = [...output.matchAll(/^([✓✗]) (\S+): \d+ passed, \d+ failed/gm)];
  if (lines.length === 0) throw new Error(`The suite ${suite} did not run: ${output.slice(0, 2_000)}`);
  return { passed: new Map(lines.map(([, mark, name = ""]) => [name, mark === "✓"])), output };
}

const results = new Map<string, boolean[]>();
let outputs = "";
for (const suite of SUITES) {
  const runs: Run[] = [];
  for (const { args } of CLIENTS) runs.push(await run(suite, args));
  for (const { passed } of runs)
    for (const [name, isPassed] of passed) results.set(name, [...(results.get(name) ?? []), isPassed]);
  const isUnexpected = runs.some(({ passed }) =>
    [...passed].some(([name, isPassed]) => !isPassed && !(name in NOT_APPLICABLE)),
  );
  if (isUnexpected) outputs += runs.map(({ output }) => output).join("\n");
}

const width = Math.max(...[...results.keys()].map((name) => name.length));
console.log(`${"".padEnd(width)}  ${CLIENTS.map(({ title }) => title).join("  ")}`);
const problems: string[] = [];
for (const [name, passed] of results) {
  const reason = NOT_APPLICABLE[name];
  const isExpected = reason === undefined ? passed.every(Boolean) : !passed.some(Boolean);
  if (!isExpected) problems.push(name);
  const cells = passed.map((isPassed, index) =>
    (isPassed ? "passes" : "fails").padEnd(CLIENTS[index]?.title.length ?? 0),
  );
  console.log(
    `${name.padEnd(width)}  ${reason === undefined ? cells.join("  ") : `does not apply: ${reason}`}`.trimEnd(),
  );
}
const passing = [...results.keys()].filter((name) => !(name in NOT_APPLICABLE) && !problems.includes(name));
if (problems.length > 0) console.log(`${outputs}\nNot as expected: ${problems.join(", ")}`);
console.log(
  `${passing.length} scenarios pass with each of ${CLIENTS.length} clients, ${results.size - passing.length - problems.length} do not apply, ${problems.length} not as expected`,
);
process.exitCode = problems.length > 0 ? 1 : 0;
