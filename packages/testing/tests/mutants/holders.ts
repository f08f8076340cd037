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

/** The id of a holder ends in its pid, its thread and the start time of that. */
const isStopped = (id: string): boolean => {
  const pid = id.split("/").at(-3);
  return pid !== undefined && /\) T /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
};

const hasPid = (id: string): boolean => !isAbsent(Number(id.split("/").at(-3)));

const GONE = "distinguishes a killed holder from a running or stopped one";

const holders: readonly Mutant[] = [
  {
    name: "never reports a holder as gone",
    caughtBy: GONE,
    clause: "holder",
    says: 'statusOf() was "unknown" for a killed process.',
    Store: withHolder(() => ({ statusOf: async () => "unknown" })),
  },
  {
    name: "reports every holder as alive",
    caughtBy: GONE,
    clause: "holder",
    says: 'statusOf() was "alive" for a killed process.',
    Store: withHolder(() => ({ statusOf: async () => "alive" })),
  },
  {
    name: "reports an unknown id as alive",
    caughtBy: GONE,
    clause: "holder",
    says: "statusOf() was \"alive\" for an id that this store did not issue, ''.",
    Store: withHolder((own) => ({
      statusOf: async (id) => ((await own.statusOf(id)) === "gone" ? "gone" : "alive"),
    })),
  },
  {
    name: "reports something else",
    caughtBy: GONE,
    clause: "holder",
    says: "statusOf() for a running process was false.",
    Store: withHolder(() => ({ statusOf: async () => false as unknown as "gone" })),
  },
  {
    name: "describes no holder",
    caughtBy: GONE,
    clause: "holder",
    says: "describe() was ''.",
    Store: withHolder(() => ({ describe: async () => "" })),
  },
  {
    name: "takes a terminated thread for its process",
    caughtBy: "never reports a terminated worker thread as alive",
    clause: "holder",
    says: 'statusOf() was "alive" for a terminated worker thread of a running process.',
    Store: withHolder(() => ({ statusOf: async (id) => (hasPid(id) ? "alive" : "gone") })),
  },
  {
    name: "reports every other holder as gone",
    caughtBy: GONE,
    clause: "holder",
    says: 'statusOf() was "gone" for a running process.',
    Store: withHolder((own) => ({ statusOf: async (id) => (id === own.id ? "alive" : "gone") })),
  },
  {
    name: "reports a stopped process as gone",
    caughtBy: GONE,
    clause: "holder",
    says: 'statusOf() was "gone" for a stopped process (SIGSTOP).',
    Store: withHolder((own) => ({ statusOf: async (id) => (isStopped(id) ? "gone" : own.statusOf(id)) })),
  },
  {
    name: "reports an unknown id as gone",
    caughtBy: GONE,
    clause: "holder",
    says: "statusOf() was \"gone\" for an id that this store did not issue, ''.",
    Store: withHolder((own) => ({ statusOf: async (id) => (id.split("/").length < 7 ? "gone" : own.statusOf(id)) })),
  },
  {
    name: "throws for an unknown id",
    caughtBy: GONE,
    clause: "holder",
    says: "statusOf() for an id that this store did not issue, '' failed: Unexpected end of JSON input",
    Store: withHolder((own) => ({
      id: JSON.stringify([own.id]),
      statusOf: async (id) => own.statusOf(JSON.parse(id)[0]),
      describe: async (id) => id,
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
    caughtBy: "cannot tell what became of a holder in another PID namespace",
    clause: "holder",
    says: 'statusOf() was "gone" for a running process in another PID namespace.',
    Store: withHolder(() => ({
      id: `${process.pid}`,
      statusOf: async (id) => (/^\d+$/.test(id) && isAbsent(Number(id)) ? "gone" : "unknown"),
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
