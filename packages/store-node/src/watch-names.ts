import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";

/** Linux queues the notifications of all directories together, and Node passes them on as they come. */
const isOrderReported = process.platform === "linux" && !("Bun" in globalThis) && !("Deno" in globalThis);

/** See `FileSystem.watchNames`. Does not keep the process alive, and never throws. */
export const watchNames = isOrderReported ? watchInOrder : undefined;

function watchInOrder(directories: readonly string[], onPath: (path: string) => void): () => void {
  const watchers: FSWatcher[] = [];
  const stop = () => {
    for (const watcher of watchers) watcher.close();
  };
  try {
    for (const directory of directories) {
      const watcher = watch(directory, { persistent: false }, (event, name) => {
        if (event === "rename" && name !== null) onPath(join(directory, name));
      });
      watchers.push(watcher.on("error", stop));
    }
  } catch {
    stop(); // no handle is left
  }
  return stop;
}
