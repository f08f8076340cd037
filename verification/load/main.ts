import { startEngine } from "./engine.ts";
import { run } from "./run.ts";

const [name = "redis", backend = "unexpired", seconds = "10", rate = "200"] = process.argv.slice(2);
await using engine = await startEngine(name as "redis");
console.log(
  await run({
    engine: engine.config,
    backend: backend as "lock",
    processes: 4,
    users: 1000,
    seconds: +seconds,
    rate: +rate,
    restart: process.argv.includes("--restart"),
  }),
);
