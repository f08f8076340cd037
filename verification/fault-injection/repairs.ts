import { execFileSync } from "node:child_process";
import { chmodSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { chainOf, headOf, ODD_NUMBER } from "./faults.ts";

/** Repairs the damage of a fault, as a person who reads the error would. */
type RepairFunction = (sessionPath: string, victim: number) => void;

export const REPAIRS = {
  "lift-limit": (_, victim) => void execFileSync("prlimit", ["--pid", String(victim), "--fsize=unlimited:"]),
  "free-disk": (path) => rmSync(join(dirname(path), "filler")),
  allow: (path) => {
    for (const each of [dirname(path), chainOf(path)]) chmodSync(each, 0o700);
    chmodSync(headOf(chainOf(path)), 0o600);
  },
  "remove-file": (path) => rmSync(path, { force: true }),
  "remove-number": (path) => rmSync(join(chainOf(path), ODD_NUMBER)),
  "put-away": (path) => {
    for (const each of [path, chainOf(path)]) renameSync(each, `${each}.damaged`);
  },
} satisfies Record<string, RepairFunction>;

export type Repair = keyof typeof REPAIRS;
