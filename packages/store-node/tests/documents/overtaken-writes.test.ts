import { expect, it, onTestFinished, vi } from "vitest";
import { OvertakenWrites } from "../../src/documents/overtaken-writes.ts";
import { nodeFileSystem } from "../../src/filesystem.ts";

const files = {
  file: "/home/session.json",
  temporaryPath: "/home/.session.json.unexpired/entry/projection-1",
  oldPath: "/home/.session.json.unexpired/entry/replaced-1",
};

/** A replacement that is watched. `notify` stands for the system; time passes only through `vi`. */
function start() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const counts = { lost: 0, stops: 0 };
  let notify: (path: string) => void = () => undefined;
  const watchNames = (_directories: readonly string[], onPath: (path: string) => void) => {
    notify = onPath;
    return () => void counts.stops++;
  };
  const overtaken = new OvertakenWrites({ ...nodeFileSystem, watchNames }, files, () => counts.lost++);
  return { overtaken, counts, notify: (...paths: readonly string[]) => paths.forEach((path) => void notify(path)) };
}

it("counts what is renamed into place after the link to the old file and before our rename", () => {
  const { overtaken, counts, notify } = start();
  notify(files.file, files.oldPath, files.file, "/home/another.json", files.file);
  overtaken.onRenamed();
  expect(counts).toEqual({ lost: 0, stops: 0 });
  notify(files.temporaryPath);
  expect(counts).toEqual({ lost: 2, stops: 1 });
});

it("stops watching a second after its rename if it is not notified of it", () => {
  const { overtaken, counts, notify } = start();
  notify(files.oldPath, files.file);
  overtaken.onRenamed();
  overtaken.end();
  vi.advanceTimersByTime(999);
  expect(counts).toEqual({ lost: 0, stops: 0 });
  vi.advanceTimersByTime(1);
  expect(counts).toEqual({ lost: 0, stops: 1 });
});

it("stops watching at once if the document was not renamed", () => {
  const { overtaken, counts } = start();
  overtaken.end();
  expect(counts).toEqual({ lost: 0, stops: 1 });
});
