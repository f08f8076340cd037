import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createTokenManager, type TokenManager } from "@unexpired/core";
import { type DocumentStoreDeps, openDocumentStore } from "../../src/documents/document-store.ts";
import { chainNameOf } from "../../src/documents/entry.ts";
import { type FileSystem, nodeFileSystem } from "../../src/filesystem.ts";
import { errnoError } from "../../src/fs-errors.ts";
import { jsonFormat } from "../../src/index.ts";
import { directoryLock } from "../../src/lock.ts";
import { textOf } from "../support.ts";

export const HOUR = 3_600_000;
const format = jsonFormat({
  at: ["session"],
  fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" },
});
export const EMPTY = '{ "theme": "dark" }';

export const documentWith = (number: number): string =>
  JSON.stringify({
    theme: "dark",
    session: { access: `a${number}`, refresh: `r${number}`, expires: Date.now() + HOUR },
  });

export const tokensOf = (name: string) => ({
  accessToken: `a${name}`,
  refreshToken: `r${name}`,
  expiresAt: Date.now() + HOUR,
});

export function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

export const sessionIn = (path: string) => format.parse(textOf(path))?.tokens.accessToken;
export const chainOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.unexpired`, chainNameOf(format));

/** A store whose monotonic clock advances only when it waits, or through `pass`. */
export function open(path: string, fs: Partial<FileSystem> = {}, deps: Partial<DocumentStoreDeps> = {}) {
  let now = 0;
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  const store = openDocumentStore(path, {
    fs: { ...nodeFileSystem, ...fs },
    lock: directoryLock,
    format,
    pause: async (milliseconds) => pass(milliseconds),
    later: () => undefined,
    watch: () => () => undefined,
    monotonic: () => now,
    ...deps,
  });
  return { store, pass };
}

export const manage = (store: ReturnType<typeof open>["store"]): TokenManager => createTokenManager({ store });

/** A store that has signed in, and whose document shows it. */
export async function signedIn(path: string, fs: Partial<FileSystem> = {}) {
  write(path, EMPTY);
  const opened = open(path, fs);
  const tokens = manage(opened.store);
  await tokens.signIn(tokensOf("1"));
  await tokens.getAccessToken();
  return { ...opened, tokens };
}

/** Runs `act` at the first call that `concerns` selects. */
export function once(act: () => unknown): (isNow: boolean) => void {
  let isDone = false;
  return (isNow) => {
    if (!isNow || isDone) return;
    isDone = true;
    act();
  };
}

export const inUse = (path: string): Partial<FileSystem> => ({
  rename: (from, to) => (to === path ? Promise.reject(errnoError("EBUSY")) : nodeFileSystem.rename(from, to)),
});

/** A file system that can only write a document in place, and whose process dies once it has truncated it. */
export const dyingInPlace = (path: string, code = "EIO"): Partial<FileSystem> => ({
  ...inUse(path),
  overwrite: (target) => {
    write(target, "");
    return Promise.reject(errnoError(code));
  },
});
