import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SessionFormat, StoreEvent } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { openDocumentStore } from "../../src/documents/document-store.ts";
import { chainNameOf } from "../../src/documents/entry.ts";
import type { EntryTimers } from "../../src/documents/settle.ts";
import { type FileSystem, nodeFileSystem } from "../../src/filesystem.ts";
import { jsonFormat } from "../../src/index.ts";
import { directoryLock, type Lock } from "../../src/lock.ts";
import { chainOf, freshPath } from "../support.ts";

export const HOUR = 3_600_000;

/** The format of a document such as `{ "theme": "dark", "auth": { "access": "…", "refresh": "…" } }`. */
export const format = jsonFormat({ at: ["auth"], fields: { accessToken: "access", refreshToken: "refresh" } });

/** Returns the text of a document with the session of this number. */
export const documentWith = (number: number, others: object = { theme: "dark" }): string =>
  JSON.stringify({ ...others, auth: { access: canary("access", number), refresh: canary("refresh", number) } });

/** Returns the record of the session of this number. */
export const recordOf = (number: number, accessToken = canary("access", number)): string =>
  JSON.stringify({
    schema: 1,
    tokens: { accessToken, refreshToken: canary("refresh", number), tokenType: "Bearer", extra: {} },
    obtainedAt: Date.now(),
    spent: [],
  });

interface Calls {
  /** Called before each call, with the name of the call and its paths. What it throws is the result of the call. */
  readonly before?: (call: string, ...paths: string[]) => unknown;
}

/** The file system of the machine. It records its calls, as `<call> <path>`, and tells of each before it is performed. */
export function recordingFileSystem({ before }: Calls = {}) {
  const calls: string[] = [];
  const record = (name: string, call: unknown) => {
    if (typeof call !== "function" || name === "now" || name === "watchNames") return call;
    return async (...args: unknown[]) => {
      const paths = args.filter((each): each is string => typeof each === "string");
      const isDurable = (args[2] as { durable?: boolean } | undefined)?.durable === true;
      calls.push(`${name}${isDurable ? " durable" : ""} ${name === "link" || name === "rename" ? paths[1] : paths[0]}`);
      await before?.(name, ...paths);
      return call(...args);
    };
  };
  const entries = Object.entries(nodeFileSystem).map(([name, call]) => [name, record(name, call)]);
  return { fs: Object.fromEntries(entries) as FileSystem, calls };
}

interface Options extends Partial<EntryTimers> {
  readonly path?: string;
  readonly text?: string;
  readonly calls?: (path: string) => Partial<FileSystem>;
  readonly lock?: Lock;
  readonly used?: SessionFormat;
  readonly stateDirectory?: string;
}

/** Opens the store of one process over a document. Its clocks only advance when it waits, or through `wall` and `pass`. */
export function open({
  path = freshPath(),
  text,
  calls = () => ({}),
  lock = directoryLock,
  used = format,
  ...others
}: Options = {}) {
  mkdirSync(dirname(path), { recursive: true });
  if (text !== undefined) writeFileSync(path, text);
  const clock = { wall: Date.now(), monotonic: 5_000 };
  const pass = (milliseconds: number): void => {
    clock.wall += milliseconds;
    clock.monotonic += milliseconds;
  };
  const waits: number[] = [];
  const timers: { readonly run: () => void; readonly milliseconds: number }[] = [];
  const store = openDocumentStore(path, {
    fs: { ...nodeFileSystem, now: () => clock.wall, ...calls(path) },
    lock,
    format: used,
    pause: async (milliseconds) => {
      waits.push(milliseconds);
      pass(milliseconds);
    },
    later: (run, milliseconds) => void timers.push({ run, milliseconds }),
    monotonic: () => clock.monotonic,
    ...others,
  });
  const events: StoreEvent[] = [];
  store.subscribe?.((event) => void events.push(event));
  const chain = join(chainOf(path), chainNameOf(used));
  const namesIn = (directory: string) => readdirSync(directory).toSorted();
  return { path, store, clock, pass, waits, timers, events, chain, namesIn };
}

/** Returns whether a loaded value is that of a session that was signed out. */
export const isSignedOut = (value: string | undefined): boolean => value?.includes('"reason":"signed_out"') === true;
