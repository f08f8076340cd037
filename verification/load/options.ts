import { parseArgs } from "node:util";
import type { EngineName } from "./engine.ts";

/** The options of `pnpm show:load`. */
export interface Options {
  readonly engines: readonly EngineName[];
  readonly processes: number;
  readonly users: number;
  readonly seconds: number;
  readonly rate: number;
  readonly restart: boolean;
  /** Whether to run the same server with a lock by hand as well. */
  readonly compare: boolean;
}

const ENGINES: Readonly<Record<string, readonly EngineName[]>> = {
  postgres: ["postgres"],
  redis: ["redis"],
  both: ["postgres", "redis"],
};
const LONG = 60; // seconds; only a longer run kills a process, unless --restart is given

/** @throws TypeError that names the wrong option */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== "--"), // which pnpm passes on
    allowNegative: true,
    options: {
      store: { type: "string", default: "both" },
      processes: { type: "string", default: "4" },
      users: { type: "string", default: "1000" },
      seconds: { type: "string", default: "30" },
      rate: { type: "string", default: "300" },
      restart: { type: "boolean" },
      compare: { type: "boolean", default: true },
    },
  });
  const engines = ENGINES[values.store];
  if (!engines) throw new TypeError(`--store must be postgres, redis or both, not ${values.store}.`);
  const seconds = numberIn("seconds", values.seconds);
  return {
    engines,
    seconds,
    compare: values.compare,
    processes: numberIn("processes", values.processes),
    users: numberIn("users", values.users),
    rate: numberIn("rate", values.rate),
    restart: values.restart ?? seconds >= LONG,
  };
}

function numberIn(option: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new TypeError(`--${option} must be a whole number above 0, not ${text}.`);
  return Number(text);
}
