import { parseArgs } from "node:util";
import type { Mutant } from "./mutate.ts";

/** One of `of` parts of equal size, counted from 1. */
interface Part {
  readonly part: number;
  readonly of: number;
}

export interface Options {
  readonly runs: number;
  /** The first seed. */
  readonly seed: number;
  readonly replay: boolean;
  readonly mutants: boolean;
  /** Selects the mutants whose names contain it. */
  readonly only: string;
  readonly share: Part;
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"), // which pnpm passes on
    options: {
      runs: { type: "string", default: "20000" },
      seed: { type: "string", default: "1" },
      replay: { type: "boolean", default: false },
      mutants: { type: "boolean", default: false },
      only: { type: "string", default: "" },
      share: { type: "string", default: "1/1" },
    },
  });
  const { runs, seed, share, ...others } = values;
  return { ...others, runs: numberIn("runs", runs), seed: numberIn("seed", seed), share: partIn(share) };
}

function numberIn(option: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new TypeError(`--${option} must be a whole number, not ${text}.`);
  return Number(text);
}

function partIn(text: string): Part {
  const [, part = 0, of = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (part < 1 || part > of) throw new TypeError(`--share must be a fraction such as 1/3, not ${text}.`);
  return { part, of };
}

/** Selects mutants by the options. Throws if no mutant matches. */
export function selectMutants(mutants: readonly Mutant[], { only, share }: Options): Mutant[] {
  const selected = mutants.filter(({ name }, index) => name.includes(only) && index % share.of === share.part - 1);
  if (selected.length === 0)
    throw new TypeError(`No mutant of this share has a name that contains "${only}". Change --only or --share.`);
  return selected;
}
