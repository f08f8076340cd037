import { writeSync } from "node:fs";
import type { ProviderProfile } from "@unexpired/core";

/** Is in every line that a fault point writes. Published packages must not contain it: see `scripts/check-tarballs.ts`. */
export const MARKER = "unexpired-fault-point";

/** Where a process meets which fault. */
export interface TrapConfig {
  /** `<phase>/<step>`; see `fault-points.ts`. */
  readonly point: string;
  readonly fault: string;
  /** Of all processes that share this path only the first one meets it. */
  readonly once?: string;
}

/** What a process is started with. */
export interface WorkerConfig {
  readonly sessionPath: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly api: string;
  /** Deadline of an exchange, in milliseconds. The lease is ten seconds longer. */
  readonly timeout: number;
  readonly provider: Partial<ProviderProfile>;
  readonly trap?: TrapConfig | undefined;
  /** The process gives up its rights before it opens the session: a superuser is never refused anything. */
  readonly isWithoutRights: boolean;
  /** Every process gets the lock at once, whoever holds it. */
  readonly everyoneWinsTheLock: boolean;
}

/** What a process is told: call the API; renew whatever the clock says, then call; sign in; go. */
export type Order =
  | { readonly do: "call" | "refresh" | "end" }
  | { readonly do: "sign-in"; readonly refreshToken: string };

/** What a process says. */
export type Line =
  | { readonly type: "ready" }
  | { readonly type: typeof MARKER; readonly point: string }
  /** A refresh token goes out; of the token only its digest. */
  | { readonly type: "presented"; readonly digest: string; readonly attemptId: string }
  | { readonly type: "exchange"; readonly attemptId: string; readonly afterLoss: boolean }
  | { readonly type: "settled"; readonly outcome: string; readonly told: string };

/** Written at once: the next instruction may be the process's last. */
export const tell = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`);
