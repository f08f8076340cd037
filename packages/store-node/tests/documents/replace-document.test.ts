import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { type ReplaceObserver, replaceDocument } from "../../src/documents/replace-document.ts";
import { nodeFileSystem } from "../../src/filesystem.ts";
import { errnoError } from "../../src/fs-errors.ts";
import { chainOf, freshPath, textOf } from "../support.ts";
import { recordingFileSystem } from "./support.ts";

/** A document as it was read, and a file system that records what is done to it from then on. */
async function start(
  text: string | undefined,
  before?: (call: string, path: string, file: string) => void,
  isLocked = true,
) {
  const file = freshPath();
  const chain = join(chainOf(file), "entry");
  mkdirSync(chain, { recursive: true });
  if (text !== undefined) writeFileSync(file, text);
  const stamp = await nodeFileSystem.stat(file);
  const { fs, calls } = recordingFileSystem({
    before: (call, ...given) => before?.(call, given.at(call === "rename" ? 1 : 0) ?? "", file),
  });
  const observer: ReplaceObserver = {
    nameOld: () => "projection-old",
    onReplaced: ({ oldPath }) => fs.unlink(oldPath),
    onLost: () => undefined,
  };
  const replace = (next: string | undefined) =>
    replaceDocument(fs, { paths: { file, chain }, stamp, isLocked, observer }, next);
  /** The calls with the names of the files in place of their paths. */
  const named = () =>
    calls.map((call) =>
      call
        .replaceAll(chain, "chain")
        .replaceAll(dirname(chain), "shared")
        .replaceAll(dirname(file), "directory")
        .replace(/projection-\w+/, "projection"),
    );
  return { file, chain, replace, calls, named };
}

const after = (calls: readonly string[], call: string) => calls.slice(calls.indexOf(call) + 1);

it("syncs the new text before the rename, and the directory after it", async () => {
  const { file, chain, replace, named } = await start("old");
  expect(await replace("new")).toBe(true);
  const calls = named();
  const renamed = calls.indexOf("rename directory/session.json");
  expect(calls.indexOf("create durable chain/projection")).toBeGreaterThanOrEqual(0);
  expect(calls.indexOf("create durable chain/projection")).toBeLessThan(renamed);
  expect(calls.slice(renamed)).toContain("syncDirectory directory");
  expect([textOf(file), readdirSync(chain)]).toEqual(["new", []]);
});

it("syncs the directory of a document that is deleted", async () => {
  const { file, replace, named } = await start("old");
  expect(await replace(undefined)).toBe(true);
  expect(named().at(-1)).toBe("syncDirectory directory");
  expect(readdirSync(dirname(file))).not.toContain("session.json");
});

it.each(["new", undefined])("leaves a document that has changed right before that: %s", async (next) => {
  let isWritten = false;
  const { file, replace, named } = await start("old", (call, _path, document) => {
    if (call !== "stat" || isWritten) return;
    isWritten = true;
    writeFileSync(document, "of another program");
  });
  expect(await replace(next)).toBe(false);
  expect(textOf(file)).toBe("of another program");
  expect(named()).not.toContain("rename directory/session.json");
});

it("compares the document after the link to it, and next before the rename", async () => {
  const { replace, named } = await start("old");
  await replace("new");
  const calls = named();
  const renamed = calls.indexOf("rename directory/session.json");
  expect(calls.slice(renamed - 2, renamed)).toEqual(["link chain/projection", "stat directory/session.json"]);
});

it("leaves a document that has changed if there are no hard links", async () => {
  const { file, replace, chain } = await start("old", (call, _path, document) => {
    if (call !== "link") return;
    writeFileSync(document, "of another program");
    throw errnoError("EPERM");
  });
  expect(await replace("new")).toBe(false);
  expect([textOf(file), readdirSync(chain)]).toEqual(["of another program", []]);
});

it.each(["EBUSY", "EXDEV", "EPERM"])("writes in place on %s, once a synced copy exists", async (code) => {
  const found: string[] = [];
  const { chain, file, replace, named } = await start("old", (call, path, document) => {
    if (call === "rename" && path === document) throw errnoError(code);
    if (call === "overwrite") found.push(readFileSync(join(chainOf(document), "session.json.before"), "utf8"));
  });
  expect(await replace("new")).toBe(true);
  expect(found).toEqual(["old"]);
  expect(after(named(), "rename directory/session.json").slice(0, 9)).toEqual([
    "unlink shared/session.json.next",
    "unlink shared/session.json.before",
    "copy directory/session.json",
    "create durable shared/session.json.next",
    "syncDirectory shared",
    "stat directory/session.json",
    "overwrite directory/session.json",
    "unlink shared/session.json.next",
    "unlink shared/session.json.before",
  ]);
  expect([textOf(file), readdirSync(chain)]).toEqual(["new", []]);
});

it("keeps the copies if the document could not be written to its end", async () => {
  const { chain, replace } = await start("old", (call, path, document) => {
    if (call === "rename" && path === document) throw errnoError("EBUSY");
    if (call !== "overwrite") return;
    writeFileSync(path, "ne");
    throw errnoError("ENOSPC");
  });
  await expect(replace("new")).rejects.toMatchObject({ code: "ENOSPC" });
  expect(readdirSync(dirname(chain))).toEqual(["entry", "session.json.before", "session.json.next"]);
  expect(readFileSync(join(dirname(chain), "session.json.before"), "utf8")).toBe("old");
});

it("leaves no copies if it could not begin to write the document in place", async () => {
  const { chain, replace } = await start("old", (call, path, document) => {
    if (call === "rename" && path === document) throw errnoError("EBUSY");
    if (call === "overwrite") throw errnoError("EACCES");
  });
  await expect(replace("new")).rejects.toMatchObject({ code: "EACCES" });
  expect(readdirSync(dirname(chain))).toEqual(["entry"]);
});

it("does not write in place without the lock", async () => {
  const before = (call: string, path: string, document: string) => {
    if (call === "rename" && path === document) throw errnoError("EBUSY");
  };
  const { file, replace } = await start("old", before, false);
  await expect(replace("new")).rejects.toMatchObject({ code: "EBUSY" });
  expect(textOf(file)).toBe("old");
});

it("does not delete a document that another program has just renamed into place", async () => {
  const { file, chain, replace } = await start("old", (call, path, document) => {
    if (call !== "rename" || !path.includes("projection-")) return;
    writeFileSync(`${document}.other`, "of another program");
    renameSync(`${document}.other`, document);
  });
  expect(await replace(undefined)).toBe(false);
  expect([textOf(file), readdirSync(chain)]).toEqual(["of another program", []]);
});

it("does not replace a document that another program has just created", async () => {
  const { file, replace } = await start(undefined, (call, path, document) => {
    if (call === "link" && path.includes("projection-")) writeFileSync(document, "of another program");
  });
  expect(await replace("new")).toBe(false);
  expect(textOf(file)).toBe("of another program");
});

it("creates a document durably in a place into which nothing can be renamed", async () => {
  const { file, replace, named } = await start(undefined, (call, path, document) => {
    if ((call === "rename" && path === document) || call === "link") throw errnoError("EXDEV");
  });
  expect(await replace("new")).toBe(true);
  expect(textOf(file)).toBe("new");
  expect(named()).toContain("create durable directory/session.json");
});

it("writes nothing in place after any other error, and leaves no temporary file", async () => {
  const { file, chain, replace, named } = await start("old", (call, path, document) => {
    if (call === "rename" && path === document) throw errnoError("EACCES");
  });
  await expect(replace("new")).rejects.toMatchObject({ code: "EACCES" });
  expect([textOf(file), readdirSync(chain)]).toEqual(["old", []]);
  expect(named()).not.toContain("overwrite directory/session.json");
});

it("writes nothing if the document could not be read any more", async () => {
  const { replace, calls } = await start("old");
  await expect(replace("x".repeat(1_048_577))).rejects.toMatchObject({ code: "ETOOLARGE" });
  expect(calls).toEqual([]);
});

it("is not put back if a process with another clock has removed the second name of the old file", async () => {
  const { file, replace } = await start("old", (call, path) => {
    if (call === "rename") rmSync(join(chainOf(path), "entry", "projection-old"));
  });
  expect(await replace("new")).toBe(true);
  expect(textOf(file)).toBe("new");
});
