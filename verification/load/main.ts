/**
 * `pnpm show:load`: server processes share the sessions of 1,000 users, whose access tokens live 20 seconds, on PostgreSQL and
 * on Redis. Prints a table for each, and exits with 1 if a promise is broken. `--seconds 300` also kills a process, unless
 * `--no-restart` is given. On Redis, the same server with a lock by hand is run as well, unless `--no-compare` is given.
 */
import { type EngineName, startEngine } from "./engine.ts";
import { measureMemory } from "./measure-memory.ts";
import { type Options, parseOptions } from "./options.ts";
import { brokenPromises } from "./promises.ts";
import { run } from "./run.ts";
import { tableOf } from "./table.ts";

const TITLES: Readonly<Record<EngineName, string>> = { postgres: "PostgreSQL", redis: "Redis" };

/** Measures an engine, prints its table, and returns the promises that were broken. */
async function show(name: EngineName, options: Options): Promise<string[]> {
  const { processes, users, seconds } = options;
  const figures = {
    run: await runOn(name, "unexpired", options),
    memory: await measureOn(name, users),
  };
  const byHand = name === "redis" && options.compare ? await runOn(name, "lock", options) : undefined;
  console.log(`\n${TITLES[name]}: ${processes} processes, ${users} users, ${seconds} seconds, tokens of 20 seconds\n`);
  console.log(tableOf(figures, byHand));
  for (const [reason, count] of Object.entries(figures.run.failures)) console.log(`failed: ${count} × ${reason}`);
  return brokenPromises(figures).map((text) => `${TITLES[name]}: ${text}`);
}

async function runOn(name: EngineName, backend: "unexpired" | "lock", options: Options) {
  await using engine = await startEngine(name);
  return await run({ ...options, engine: engine.config, backend });
}

async function measureOn(name: EngineName, users: number) {
  await using engine = await startEngine(name);
  return await measureMemory(engine.config, users);
}

const options = parseOptions(process.argv.slice(2));
const broken: string[] = [];
for (const name of options.engines) broken.push(...(await show(name, options)));
console.log(broken.length > 0 ? `\nBroken: ${broken.join("; ")}.` : "\nNo promise was broken.");
process.exitCode = broken.length > 0 ? 1 : 0;
