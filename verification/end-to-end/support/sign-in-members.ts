/** Processes that sign in at once (fixtures/sign-in-member.ts). */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "../fixtures/sign-in-member.ts");

export interface SignInMemberOptions {
  /** The session file. */
  readonly path: string;
  readonly issuer: string;
  readonly clientId: string;
}

/** A message of a process to its user. */
export type SignInReport =
  | { readonly type: "prompt"; readonly url: string }
  | { readonly type: "waiting" }
  | { readonly type: "signed-in"; readonly isOurs: boolean; readonly accessToken: string }
  | { readonly type: "failed"; readonly code: string; readonly reason: string; readonly message: string };

/** One process, and what it has told. */
export class SignInMember {
  readonly reports: SignInReport[] = [];
  /** Resolves to the exit code; to `null` if a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;

  constructor(options: SignInMemberOptions) {
    this.#child = fork(PROGRAM, [JSON.stringify(options)]);
    this.#child.on("message", (message) => this.reports.push(message as SignInReport));
    this.ended = once(this.#child, "exit").then(([code]) => code);
  }

  /** The URL that it has opened. */
  get prompt(): string | undefined {
    return this.reports.find((report) => report.type === "prompt")?.url;
  }

  get isWaiting(): boolean {
    return this.reports.some(({ type }) => type === "waiting");
  }

  /** How it ended, if it has. */
  get outcome(): SignInReport | undefined {
    return this.reports.find(({ type }) => type === "signed-in" || type === "failed");
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }
}

/** Starts processes that sign in at once. Disposing it kills those that still run. */
export class SignInMembers implements Disposable {
  readonly all: readonly SignInMember[];

  constructor(count: number, options: SignInMemberOptions) {
    this.all = Array.from({ length: count }, () => new SignInMember(options));
  }

  /** Those that have asked the user. */
  get prompting(): SignInMember[] {
    return this.all.filter(({ prompt }) => prompt !== undefined);
  }

  [Symbol.dispose](): void {
    for (const member of this.all) member.signal("SIGKILL");
  }
}
