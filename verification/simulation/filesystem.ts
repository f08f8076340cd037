import type { FileSystem } from "../../packages/store-node/src/filesystem.ts";
import type { Disk } from "./disk.ts";

/** Performs one file system call of a process as an event: `call` and `path` name it, `perform` executes it. */
export type Perform = <T>(call: keyof FileSystem, path: string, perform: () => T) => Promise<T>;

/** The file system interface of the file store, over a simulated disk; each call is an event. */
export const fileSystemOver = (disk: Disk, perform: Perform): FileSystem => ({
  list: (directory) => perform("list", directory, () => disk.list(directory)),
  read: (path) => perform("read", path, () => disk.read(path)),
  stat: (path) => perform("stat", path, () => disk.stat(path)),
  create: (path, text, options) => perform("create", path, () => disk.create(path, text, options)),
  overwrite: async (path, text) => {
    await perform("overwrite", path, () => disk.truncate(path));
    return perform("overwrite", path, () => disk.overwrite(path, text));
  },
  copy: (from, to) => perform("copy", to, () => disk.copy(from, to)),
  link: (from, to) => perform("link", to, () => disk.link(from, to)),
  rename: (from, to) => perform("rename", to, () => disk.rename(from, to)),
  unlink: (path) => perform("unlink", path, () => disk.unlink(path)),
  removeDirectory: (path) => perform("removeDirectory", path, () => disk.removeDirectory(path)),
  removeEmptyDirectory: (path) => perform("removeEmptyDirectory", path, () => disk.removeEmptyDirectory(path)),
  makeDirectory: (path) => perform("makeDirectory", path, () => disk.makeDirectory(path)),
  syncDirectory: (path) => perform("syncDirectory", path, () => disk.sync(path)),
  resolve: async (path) => path,
  assertTrusted: async () => {},
  isMountPoint: async () => false,
  now: () => disk.now(),
});
