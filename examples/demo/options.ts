import { parseArgs } from "node:util";

export type Mode = "unexpired" | "naive";

/** What the demo was asked to do. */
export interface Options {
  readonly mode: Mode;
  readonly json: boolean;
  readonly seconds: number;
  readonly processes: number;
}

export const HELP = `Usage: pnpm demo [options]

Many processes share one OAuth session whose refresh tokens work once, and one of them is killed midway.

  --naive        the same with the read-refresh-write that one writes by hand
  --seconds N    how long, 1 to 3600 (default 20)
  --processes N  how many processes, 1 to 64 (default 8)
  --json         one JSON object on stdout, everything else on stderr
  --help         this text

Exit code: 0 if no request failed, no grant was revoked and no token exchange was superfluous; else 1; 2 for bad
arguments.
`;

/** The arguments cannot be understood; the message is for the user. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** @throws UsageError */
export function parseOptions(argv: readonly string[]): Options | "help" {
  const values = parse(argv[0] === "--" ? argv.slice(1) : argv); // `pnpm demo -- --json` passes the dashes on
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
