import { readFileSync } from "node:fs";
import type { TokenStore } from "@unexpired/core";
import { ReferenceStore, type Row } from "../reference-store.ts";
import type { Mutant } from "./mutant.ts";

type Holder = NonNullable<TokenStore["holder"]>;

/** The reference store with some members of its holder replaced. */
const withHolder = (change: (own: Holder) => Partial<Holder>) =>
  class extends ReferenceStore {
    declare readonly holder?: Holder;

    constructor(path: string) {
      super(path);
      const { holder: own } = new ReferenceStore(path);
      if (own) this.holder = { ...own, ...change(own) };
    }
  };

const isAbsent = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

/** The id of a holder ends in its pid and its start time. */
const isStopped = (id: string): boolean => {
  const pid = id.split("/").at(-2);
  return pid !== undefined && /\) T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
};

const GONE = "distinguishes a killed holder from a running or stopped one";

const holders: readonly Mutant[] = [
  {
    name: "never reports a holder as gone",
    caughtBy: GONE,
    clause: "holder",
    says: "isGone() was false for a killed process.",
    Store: withHolder(() => ({ isGone: async () => false })),
  },
  {
    name: "reports every other holder as gone",
    caughtBy: GONE,
    clause: "holder",
    says: "isGone() was true for a running process.",
    Store: withHolder((own) => ({ isGone: async (id) => id !== own.id })),
  },
  {
    name: "reports a stopped process as gone",
    caughtBy: GONE,
    clause: "holder",
    says: "isGone() was true for a stopped process (SIGSTOP).",
    Store: withHolder((own) => ({ isGone: async (id) => (await own.isGone(id)) || isStopped(id) })),
  },
  {
    name: "reports an unknown id as gone",
    caughtBy: GONE,
    clause: "holder",
    says: "isGone() was true for an id that this store did not issue, ''.",
    Store: withHolder((own) => ({ isGone: async (id) => (await own.isGone(id)) || id.split("/").length < 6 })),
  },
  {
    name: "throws for an unknown id",
    caughtBy: GONE,
    clause: "holder",
    says: "isGone() for an id that this store did not issue, '' failed: Unexpected end of JSON input",
    Store: withHolder((own) => ({
      id: JSON.stringify([own.id]),
      isGone: async (id) => own.isGone(JSON.parse(id)[0]),
    })),
  },
  {
    name: "gives every process the same id",
    caughtBy: GONE,
    clause: "holder",
    says: "Two processes have the same holder id, 'this machine'.",
    Store: withHolder(() => ({ id: "this machine" })),
  },
  {
    name: "identifies a process by its pid alone",
    caughtBy: "never reports a holder in another PID namespace as gone",
    clause: "holder",
    says: "isGone() was true for a running process in another PID namespace.",
    Store: withHolder(() => ({
      id: `${process.pid}`,
      isGone: async (id) => /^\d+$/.test(id) && isAbsent(Number(id)),
    })),
  },
];

/** Whether a value is a record of the core. */
const isRecord = (text: unknown): text is string => typeof text === "string" && text.startsWith('{"schema"');

const sessions: readonly Mutant[] = [
  {
    name: "drops the attempt from a record",
    caughtBy: "keeps one session alive through 5 expiries in 8 processes, with one exchange each",
    clause: "session",
    says: "After expiry ",
    Store: class extends ReferenceStore {
      override encode(value: string) {
        return isRecord(value) ? JSON.stringify({ ...JSON.parse(value), attempt: undefined }) : value;
      }
    },
  },
  {
    name: "treats a record without tokens as absent",
    caughtBy: "shares a session between a manager that refreshes and one that signs out",
    clause: "session",
    says: "After one manager signed out, refresh() of another one ended with reason no_session.",
    Store: class extends ReferenceStore {
      override parse(row: Row | undefined) {
        return isRecord(row?.value) && !JSON.parse(row.value).tokens ? undefined : super.parse(row);
      }
    },
  },
];

export const holderMutants: readonly Mutant[] = [...holders, ...sessions];
