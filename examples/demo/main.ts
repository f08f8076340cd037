import { runDemo } from "./demo.ts";
import { HELP, type Options, parseOptions, UsageError } from "./options.ts";
import { problems, summarize } from "./outcome.ts";
import { createView } from "./view.ts";

for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.once(signal, () => process.exit(code));
}
process.stdout.on("error", () => process.exit(1)); // the reader has exited, as with `pnpm demo | head`

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(HELP);
  else await main(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}

async function main(options: Options): Promise<void> {
  const view = createView(options.json ? process.stderr : process.stdout, options.processes);
  const outcome = await runDemo(options, view);
  view.end(outcome);
  if (options.json) process.stdout.write(`${JSON.stringify(summarize(outcome))}\n`);
  process.exitCode = problems(outcome).length > 0 ? 1 : 0;
}
