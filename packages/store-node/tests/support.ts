import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { StoreError, type TokenStore } from "@unexpired/core";
import * as sessionRecord from "@unexpired/core/session-record";
import { onTestFinished } from "vitest";
import { openFileStore } from "../src/file-store.ts";
import { type FileSystem, nodeFileSystem } from "../src/filesystem.ts";
import { directoryLock, type Lock } from "../src/lock.ts";

/** Creates an empty directory for one test. */
export function freshDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "unexpired-")));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Returns the path of a session file that does not exist, in a new directory. */
export const freshPath = (): string => {
  const directory = join(freshDirectory(), "state");
  mkdirSync(directory);
  return join(directory, "session.json");
};

export const chainOf = (path: string): string => join(dirname(path), `.${basename(path)}.unexpired`);

export const generationsOf = (path: string): number[] =>
  readdirSync(chainOf(path))
    .map(Number)
    .filter((number) => number > 0)
    .sort((a, b) => a - b);

/** Returns the names in the chain's directory, except those of its bookkeeping. */
export const namesIn = (chain: string): string[] =>
  readdirSync(chain).filter((name) => name !== ".gitignore" && !name.startsWith("known-"));

export const textOf = (path: string): string => readFileSync(path, "utf8");

/** Creates a store on a file system with some calls replaced. */
export const storeWith = (path: string, calls: Partial<FileSystem>, lock: Lock = directoryLock): TokenStore =>
  openFileStore(path, { fs: { ...nodeFileSystem, ...calls }, lock, rules: sessionRecord });

/** Creates a store with a clock that stands still until `pass` is called. `touch` stamps the session file with its time. */
export function storeWithClock(path: string) {
  let now = 1_000_000;
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  const touch = (): void => utimesSync(path, now / 1000, now / 1000);
  return { store: storeWith(path, { now: () => now }), pass, touch };
}

/** Creates a store on a file system with some calls that fail with the given error codes. */
export const storeFailing = (path: string, calls: Partial<Record<keyof FileSystem, string>>): TokenStore =>
  storeWith(
    path,
    Object.fromEntries(
      Object.entries(calls).map(([name, code]) => [
        name,
        () => Promise.reject(Object.assign(new Error(code), { code })),
      ]),
    ),
  );

/** Returns a serialized session record of the core. */
export const record = (refreshToken: string, obtainedAt: number, spent: readonly string[] = []): string =>
  JSON.stringify({
    schema: 1,
    tokens: { accessToken: `access for ${refreshToken}`, refreshToken, tokenType: "Bearer", extra: {} },
    obtainedAt,
    spent,
  });

/** Runs `fixtures/<name>.ts` in a new process, which is killed when the test ends. */
export function start(
  name: string,
  { args = [], execArgv = [] }: { readonly args?: readonly string[]; readonly execArgv?: readonly string[] } = {},
): ChildProcess {
  const child = fork(join(import.meta.dirname, "fixtures", `${name}.ts`), [...args], {
    execArgv: [...process.execArgv, ...execArgv],
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return child;
}

/** Returns the next message of a process. Rejects if the process ends first. */
export async function message(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const [first] = await Promise.race([
    once(child, "message", { signal: ended.signal }),
    once(child, "exit", { signal: ended.signal }).then(([code, signal]) => {
      throw new Error(`the process ended (${code ?? signal}) before it sent a message`);
    }),
  ]).finally(() => ended.abort());
  return first;
}

export const exit = async (child: ChildProcess): Promise<number | string> => {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return child.exitCode ?? child.signalCode ?? "";
};

/** Creates a promise and the function that resolves it. */
export function latch(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Runs a program of the system. */
export const run = (program: string, ...args: string[]): void => {
  execFileSync(program, args, { stdio: "ignore" });
};

/** Whether an action succeeds, for tests that need permissions or programs. */
export const isPossible = (action: () => void): boolean => {
  try {
    action();
    return true;
  } catch {
    return false;
  }
};

/** Returns the `StoreError` of a call that is expected to fail. */
export async function failure(task: Promise<unknown>): Promise<StoreError> {
  const error = await task.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw new Error("expected a StoreError", { cause: error });
  return error;
}
