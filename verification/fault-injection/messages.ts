import { writeSync } from "node:fs";
import type { ProviderProfile } from "@unexpired/core";
import type { DocumentKind } from "./foreign.ts";

/** The marker of lines that fault points write. `scripts/check-tarballs.ts` checks that no package contains it. */
export const MARKER = "unexpired-fault-point";

/** A fault of a process and the point at which it occurs. */
export interface TrapConfig {
  /** `<phase>/<step>`; see `fault-points.ts`. */
  readonly point: string;
  readonly fault: string;
  /** A path; of all processes that share it, only the first to reach the point has the fault. */
  readonly once?: string;
}

/** The configuration of a process. */
export interface WorkerConfig {
  readonly sessionPath: string;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly api: string;
  /** The deadline of an exchange in milliseconds. The lease is ten seconds longer than twice that. */
  readonly timeout: number;
  readonly provider: Partial<ProviderProfile>;
  readonly trap?: TrapConfig | undefined;
  /** Whether the process drops its privileges before it opens the session: root passes all permission checks. */
  readonly isWithoutRights: boolean;
  /** Whether every process acquires the lock at once, even if another process holds it. */
  readonly everyoneWinsTheLock: boolean;
  /** The kind of another program's document that the session is in; `undefined`: a session file. */
  readonly document: DocumentKind | undefined;
}

/**
 * Orders to a process: call the API; refresh, then call; close the manager and exit, with or without an outcome; sign in, or
 * sign in with a flow, then call; respond to the prompt of that flow, without a token if the user refuses.
 */
export type Order =
  | { readonly do: "call" | "refresh" | "sign-in-with" | "close" | "end" }
  | { readonly do: "respond"; readonly refreshToken: string | undefined }
  | { readonly do: "sign-in"; readonly refreshToken: string };

/** A line that a process writes. */
export type Line =
  | { readonly type: "ready" }
  | { readonly type: typeof MARKER; readonly point: string }
  /** A refresh token is about to be presented; the line has only its digest. */
  | { readonly type: "presented"; readonly digest: string; readonly attemptId: string }
  | { readonly type: "exchange"; readonly attemptId: string; readonly afterLoss: boolean }
  /** A flow has started, and waits for the user. */
  | { readonly type: "prompted" }
  /** The process waits for the sign-in of another one, whose pid is part of the description. */
  | { readonly type: "awaited"; readonly holder: string }
  | { readonly type: "settled"; readonly outcome: string; readonly told: string };

/** Writes a line synchronously: the next instruction may be the last one of the process. */
export const tell = (line: Line): void => void writeSync(1, `${JSON.stringify(line)}\n`);
