import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { FileNotes } from "../../src/mirrors/file-notes.ts";
import { pathsOf } from "../../src/paths.ts";
import { recordingFileSystem } from "../documents/support.ts";
import { freshDirectory } from "../support.ts";

/** Notes about a document of which no more than the directory exists. */
function start() {
  const home = freshDirectory();
  const path = join(home, "program", "auth.json");
  mkdirSync(dirname(path));
  const { fs, calls } = recordingFileSystem();
  const paths = pathsOf(path, { entry: "entry" });
  const notes = new FileNotes(fs, path, async () => paths);
  const shared = dirname(paths.chain);
  /** The calls that change something, with the names of the files in place of their paths. */
  const named = () =>
    calls
      .filter((call) => /^(create|link|makeDirectory|syncDirectory)/.test(call))
      .map((call) =>
        call
          .replaceAll(shared, "notes")
          .replaceAll(dirname(path), "program")
          .replaceAll(home, "home")
          .replace(/draft-\w+/, "draft"),
      );
  return { notes, named, shared };
}

it("makes its directory durable before it names the primary in it, and the name before that is relied on", async () => {
  const { notes, named, shared } = start();
  expect(await notes.claim("id")).toBe("id");
  expect(readFileSync(join(shared, "primary"), "utf8")).toBe("id\nentry\n");
  expect(named()).toEqual([
    "makeDirectory notes",
    "syncDirectory program",
    "syncDirectory home",
    "create durable notes/.gitignore",
    "create durable notes/draft",
    "link notes/primary",
    "syncDirectory notes",
  ]);
});

it("makes the directory of its marks durable before the first of them, and only then", async () => {
  const { notes, named } = start();
  await notes.setShown(["one"]);
  expect(named()).toEqual([
    "makeDirectory notes/entry",
    "syncDirectory notes",
    "syncDirectory program",
    "create notes/entry/shown-one",
  ]);
  const before = named().length;
  await notes.setShown(["two"]);
  expect(named().slice(before)).toEqual(["create notes/entry/shown-two"]);
  expect(await notes.shown()).toEqual(["two"]);
});
