/** Processes that share the session of a row. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "programs/member.ts");

/** The options of a process. */
export interface MemberOptions {
  /** The folder in which the packages are installed. */
  readonly folder: string;
  readonly path: string;
  readonly tokenEndpoint: string;
  /** The deadline of its exchanges, in milliseconds. */
  readonly timeout: number;
  /** How far its wall clock is ahead, in milliseconds. Default: 0. */
  readonly ahead?: number;
  /** The directory of a keychain store to use in place of the file. */
  readonly keychain?: string;
  /** A program, and its arguments, that starts the process, such as `nsenter`. */
  readonly launcher?: readonly string[];
  readonly nodeOptions?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The user that it becomes once it has loaded the packages, which only root may be able to read. */
  readonly uid?: number;
}

/** An action of a process. */
export type Action =
  | "token"
  | "refresh"
  | "hasSession"
  | "signOut"
  | "signIn"
  | "close"
  | "block"
  | "thread"
  | "stored";

/** A process that performs one action at a time. */
export class Member {
  readonly #child: ChildProcess;
  #lastReply: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start({ launcher = [], nodeOptions = [], env = {}, ...options }: MemberOptions): Promise<Member> {
    const [command = "", ...args] = [...launcher, process.execPath, ...nodeOptions, PROGRAM, JSON.stringify(options)];
    const child = spawn(command, args, {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, ...env },
    });
    const member = new Member(child);
    child.on("error", () => {}); // a process that was killed cannot be told to end
    await once(child, "message");
    return member;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves to the outcome as text. */
  do(action: Action): Promise<string> {
    const reply = this.#lastReply.then(async () => {
      const message = once(this.#child, "message");
      this.#child.send(action);
      return (await message)[0] as string;
    });
    this.#lastReply = reply.catch(() => {});
    return reply;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Ends the process, even if it is stopped or runs behind a launcher. */
  end(): void {
    if (this.#child.connected) this.#child.disconnect();
    this.#child.kill("SIGKILL");
  }
}
