import { parseArgs } from "node:util";

export type Mode = "unexpired" | "naive";

/** The options of a demo run. */
export interface Options {
  readonly mode: Mode;
  readonly json: boolean;
  readonly seconds: number;
  readonly processes: number;
}

export const HELP = `Usage: pnpm demo [options]

Many processes share one OAuth session whose refresh tokens work only once, and one process is killed halfway through.

  --naive        run hand-written code that reads, refreshes and writes, instead of Unexpired
  --seconds N    the duration in seconds, 1 to 3600 (default 20)
  --processes N  the number of processes, 1 to 64 (default 8)
  --json         print one JSON object to stdout, and everything else to stderr
  --help         print this text

Exit codes: 0 if no request failed, no grant was revoked and no token exchange was superfluous, 1 otherwise, and 2 if
an argument is invalid.
`;

/** The arguments are invalid. The message is meant for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @throws UsageError If an argument is invalid. */
export function parseOptions(argv: readonly string[]): Options | "help" {
  const values = parse(argv[0] === "--" ? argv.slice(1) : argv); // pnpm passes on the dashes of `pnpm demo -- --json`
  if (values.help) return "help";
  return {
    mode: values.naive ? "naive" : "unexpired",
    json: values.json,
    seconds: wholeNumber("--seconds", values.seconds, 3600),
    processes: wholeNumber("--processes", values.processes, 64),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: "boolean", short: "h", default: false },
        json: { type: "boolean", default: false },
        naive: { type: "boolean", default: false },
        processes: { type: "string", default: "8" },
        seconds: { type: "string", default: "20" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function wholeNumber(name: string, given: string, most: number): number {
  const value = /^\d+$/.test(given) ? Number(given) : Number.NaN;
  if (value >= 1 && value <= most) return value;
  throw new UsageError(`${name} takes a whole number from 1 to ${most}, not "${given}".`);
}
