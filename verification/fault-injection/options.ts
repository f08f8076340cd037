import { parseArgs } from "node:util";

export interface Options {
  readonly rounds: number;
  readonly seed: string;
  /** Selects the fault points whose names contain it. */
  readonly point: string | undefined;
  /** Whether to list the fault points instead of running them. */
  readonly list: boolean;
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"), // which pnpm passes on
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      point: { type: "string" },
      list: { type: "boolean", default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isSafeInteger(rounds) || rounds < 1) throw new TypeError("--rounds must be a whole number above 0.");
  return { rounds, seed: values.seed, point: values.point, list: values.list };
}
