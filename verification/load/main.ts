import { startEngine } from "./engine.ts";
import { run } from "./run.ts";

await using engine = await startEngine();
console.log(
  await run({
    engine: engine.config,
    backend: "unexpired",
    processes: 4,
    users: 1000,
    seconds: Number(process.argv[2] ?? 30),
    rate: 400,
    restart: process.argv.includes("--restart"),
  }),
);
