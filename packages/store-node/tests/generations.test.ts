import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { type FileSystem, nodeFileSystem, type Stamp } from "../src/filesystem.ts";
import { codeOf, errnoError } from "../src/fs-errors.ts";
import {
  adoptedVersion,
  Chain,
  digestOf,
  type Generation,
  isAdoptedVersion,
  isAncestor,
  temporaryName,
  versionOf,
} from "../src/generations.ts";
import { freshDirectory, textOf } from "./support.ts";

const MINUTE = 60_000_000_000n; // ns
const HEX = /^[0-9a-f]{16}$/;

const chainIn = (directory: string, calls: Partial<FileSystem> = {}): Chain =>
  new Chain({ ...nodeFileSystem, ...calls }, directory);

const failing = (code: string) => () => Promise.reject(errnoError(code));

/** Publishes a value over the latest generation. */
async function publish(chain: Chain, value: string, foreign?: string): Promise<Generation> {
  const draft = await chain.draft(value, { head: await chain.head(), foreignDigest: foreign });
  if (!draft || !(await chain.publish(draft))) throw new Error("not published");
  return draft;
}

async function publishTimes(chain: Chain, times: number): Promise<void> {
  for (let time = 1; time <= times; time++) await publish(chain, `value ${time}`);
}

const failure = async (promise: Promise<unknown>): Promise<StoreError> => {
  const error: unknown = await promise.catch((thrown: unknown) => thrown);
  if (error instanceof StoreError) return error;
  throw new Error("expected a StoreError");
};

describe("head", () => {
  it("returns undefined if the directory is missing or empty", async () => {
    const directory = freshDirectory();
    expect(await chainIn(join(directory, "absent")).head()).toBeUndefined();
    expect(await chainIn(directory).head()).toBeUndefined();
  });

  it("returns the highest generation, and ignores other file names", async () => {
    const directory = freshDirectory();
    const envelope = (value: string) => JSON.stringify({ id: "i", past: [], value });
    for (const name of ["2", "10", "9"]) writeFileSync(join(directory, name), envelope(name));
    for (const name of ["011", "11x", "x11", "-11", "11.0", "0", "draft-11"]) {
      writeFileSync(join(directory, name), envelope("wrong"));
    }
    expect(await chainIn(directory).head()).toMatchObject({ number: 10, id: "i", ancestors: [], value: "10" });
    writeFileSync(join(directory, "999999999999"), envelope("longest"));
    expect((await chainIn(directory).head())?.value).toBe("longest");
  });

  it.each(["1000000000001", "999999999999999", "9".repeat(200)])("rejects the impossible number %s", async (name) => {
    const directory = freshDirectory();
    writeFileSync(join(directory, "1"), JSON.stringify({ id: "i", past: [], value: "1" }));
    writeFileSync(join(directory, name), JSON.stringify({ id: "i", past: [], value: "planted" }));
    const location = join(directory, name);
    const error: unknown = await chainIn(directory)
      .head()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location, hint: expect.stringContaining("move it away") });
    rmSync(location);
    expect((await chainIn(directory).head())?.value).toBe("1");
  });

  it("reads again if the generation was collected concurrently, at most 50 times", async () => {
    const directory = freshDirectory();
    await publish(chainIn(directory), "value");
    const absentUntil = (last: number) => {
      let lists = 0;
      return chainIn(directory, { list: async () => [++lists < last ? "7" : "1"] });
    };
    expect((await absentUntil(50).head())?.number).toBe(1);
    const error = await failure(absentUntil(51).head());
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: directory });
    expect(error.message).toBe(`${directory} changes faster than it can be read. Try again.`);
  });

  it("rejects if the directory cannot be read", async () => {
    const error = await failure(chainIn(freshDirectory(), { list: failing("EACCES") }).head());
    expect(error.message).toContain("is not readable (EACCES)");
  });

  it("rejects if the file of the generation cannot be read", async () => {
    const directory = freshDirectory();
    await publish(chainIn(directory), "value");
    const error = await failure(chainIn(directory, { read: failing("EACCES") }).head());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: join(directory, "1") });
    expect(error.message).toContain("is not readable (EACCES)");
  });

  it.each([
    ["nothing", ""],
    ["half of an envelope", '{"id":"i","past":[],'],
    ["null", "null"],
    ["a numeric id", '{"id":1,"past":[],"value":"v"}'],
    ["no value", '{"id":"i","past":[]}'],
    ["no past", '{"id":"i","value":"v"}'],
    ["a past that is not an array", '{"id":"i","past":{},"value":"v"}'],
    ["a past of numbers", '{"id":"i","past":["a.b",1],"value":"v"}'],
  ])("rejects a file that contains %s as damaged", async (_name, text) => {
    const directory = freshDirectory();
    const path = join(directory, "1");
    writeFileSync(path, text);
    const error = await failure(chainIn(directory).head());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(error.message).toContain(
      "is damaged: it does not contain a complete generation. Call remove() on the store and sign in again.",
    );
    expect(textOf(path)).toBe(text);
  });
});

describe("draft", () => {
  it("records the digests of the newest 32 earlier values", async () => {
    const chain = chainIn(freshDirectory());
    const first = await publish(chain, "first");
    expect(first).toMatchObject({ number: 1, ancestors: [], value: "first", id: expect.stringMatching(HEX) });
    const second = await publish(chain, "second", "of another program");
    expect(second).toMatchObject({ number: 2, ancestors: [`${first.id}.${digestOf("first")}`, ".of another program"] });
    const generation: Generation = { ...first, ancestors: Array.from({ length: 32 }, (_, index) => `${index}.x`) };
    const draft = await chain.draft("third", { head: generation, foreignDigest: undefined });
    expect(draft?.ancestors).toEqual([...generation.ancestors.slice(1), `${first.id}.${digestOf("first")}`]);
    expect(await chain.head()).toMatchObject({ number: 2, ancestors: second.ancestors, value: "second" });
  });

  it("writes durably under a temporary name, with a random length", async () => {
    const directory = freshDirectory();
    const created: [string, string, object][] = [];
    const create: FileSystem["create"] = (path, text, options) => {
      created.push([path, text, options]);
      return nodeFileSystem.create(path, text, options);
    };
    const chain = chainIn(directory, { create });
    const drafts = Array.from({ length: 20 }, () =>
      chain.draft("value", { head: undefined, foreignDigest: undefined }),
    );
    const [draft] = await Promise.all(drafts);
    const [[path, text, options] = ["", "", {}]] = created;
    expect(path).toBe(draft?.temporaryPath);
    expect(path).toMatch(/\/draft-[0-9a-f]{16}$/);
    expect(options).toEqual({ durable: true });
    expect(text.trimEnd()).toBe(JSON.stringify({ id: draft?.id, past: [], value: "value" }));
    expect(text.slice(text.trimEnd().length)).toMatch(/^ {0,255}$/);
    expect(new Set(created.map((call) => call[1].length)).size).toBeGreaterThan(5);
    expect(await chain.head()).toBeUndefined();
  });

  it("returns undefined if the chain was removed", async () => {
    const chain = chainIn(join(freshDirectory(), "absent"));
    expect(await chain.draft("value", { head: undefined, foreignDigest: undefined })).toBeUndefined();
  });
});

describe("publish", () => {
  const draftIn = async (directory: string, calls: Partial<FileSystem> = {}) => {
    const chain = chainIn(directory, calls);
    const draft = await chain.draft("mine", { head: await chainIn(directory).head(), foreignDigest: undefined });
    if (!draft) throw new Error("no draft");
    return { chain, draft };
  };

  it("makes the published name durable, and removes the temporary one", async () => {
    const directory = freshDirectory();
    const synced: string[] = [];
    const { chain, draft } = await draftIn(directory, { syncDirectory: async (path) => void synced.push(path) });
    expect(await chain.publish(draft)).toBe(true);
    expect(synced).toEqual([directory]);
    expect(readdirSync(directory)).toEqual(["1"]);
  });

  it("succeeds even if the temporary name cannot be removed", async () => {
    const { chain, draft } = await draftIn(freshDirectory(), { unlink: failing("EIO") });
    expect(await chain.publish(draft)).toBe(true);
  });

  it.each(["EEXIST", "ENOENT"])("returns false if linking fails with %s", async (code) => {
    const { chain, draft } = await draftIn(freshDirectory(), { link: failing(code) });
    expect(await chain.publish(draft)).toBe(false);
  });

  it("rejects if linking fails with any other error", async () => {
    const other = await draftIn(freshDirectory(), { link: failing("EIO") });
    await expect(other.chain.publish(other.draft)).rejects.toThrow("EIO");
    const strange = await draftIn(freshDirectory(), { link: () => Promise.reject(new Error("no code")) });
    await expect(strange.chain.publish(strange.draft)).rejects.toThrow("no code");
  });

  const later = (past: readonly string[], number = 1, id = "theirs"): Partial<FileSystem> => ({
    list: async () => [String(number)],
    read: async () => ({ text: JSON.stringify({ id, past, value: "theirs" }), stamp: {} as Stamp }),
  });

  it.each<[string, Partial<FileSystem>, boolean | undefined]>([
    ["the chain was removed", { list: async () => [] }, undefined],
    ["a new chain was started", later([], 1), false],
    ["later generations descend from it", later(["a.b", "mine.x"], 4), true],
    ["later generations do not descend from it", later(["a.b"], 4), false],
    ["later generations descend from one with a similar id", later(["mine2.x", "a.mine.x"], 4), false],
    ["15 later generations do not descend from it", later(["a.b"], 16), false],
  ])("detects after linking that %s", async (_name, calls, expected) => {
    const directory = freshDirectory();
    const { draft } = await draftIn(directory);
    expect(await chainIn(directory, calls).publish({ ...draft, id: "mine" })).toBe(expected);
    expect(existsSync(draft.temporaryPath)).toBe(expected === false); // it still belongs to its writer
  });

  it("returns undefined if only older generations are left", async () => {
    const directory = freshDirectory();
    const { draft } = await draftIn(directory);
    expect(await chainIn(directory, later([], 1, "mine")).publish({ ...draft, id: "mine", number: 2 })).toBeUndefined();
  });

  it("rejects if too many later generations exist to tell", async () => {
    const directory = freshDirectory();
    const { draft } = await draftIn(directory);
    const error = await failure(chainIn(directory, later(["a.b"], 17)).publish(draft));
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: directory });
    expect(error.message).toContain(
      "changed too many times to tell whether this save took effect. Load it again to find out.",
    );
  });
});

describe("collect", () => {
  const namesAfter = async (directory: string, calls: Partial<FileSystem> = {}) => {
    const newest = await chainIn(directory).head();
    if (newest) await chainIn(directory, calls).collect(newest);
    return readdirSync(directory).sort();
  };

  it("keeps the newest three generations", async () => {
    const directory = freshDirectory();
    await publishTimes(chainIn(directory), 5);
    expect(await namesAfter(directory)).toEqual(["3", "4", "5"]);
  });

  it("removes the others if a file cannot be removed", async () => {
    const directory = freshDirectory();
    await publishTimes(chainIn(directory), 5);
    const unlink = async (path: string) => (path.endsWith("1") ? failing("EIO")() : nodeFileSystem.unlink(path));
    expect(await namesAfter(directory, { unlink })).toEqual(["1", "3", "4", "5"]);
  });

  it("leaves files with other names alone", async () => {
    const directory = freshDirectory();
    const foreign = ["01", "draft", "draft-", "draft-0g", "draft-0a.txt", "my-draft-0a", "notes"];
    for (const name of foreign) writeFileSync(join(directory, name), "");
    await publishTimes(chainIn(directory), 4);
    const stat = async () => ({ fileId: "", modified: 0n, size: 0n });
    expect(await namesAfter(directory, { stat })).toEqual([...foreign, "2", "3", "4"].sort());
  });

  it.each<[string, bigint | undefined, boolean]>([
    ["that is a minute older than the latest generation", MINUTE, true],
    ["that is more than a minute older", MINUTE + 1n, false],
    ["that is newer", -MINUTE * 2n, true],
    ["that no longer exists", undefined, true],
  ])("keeps or removes a temporary file %s", async (_name, age, stays) => {
    const directory = freshDirectory();
    const names = [temporaryName("draft"), temporaryName("projection"), "draft-0"];
    for (const name of names) writeFileSync(join(directory, name), "");
    const { stamp } = await publish(chainIn(directory), "value");
    const stat = async () => (age === undefined ? undefined : { ...stamp, modified: stamp.modified - age });
    expect(await namesAfter(directory, { stat })).toEqual(stays ? ["1", ...names].sort() : ["1"]);
  });
});

describe("collect with revokeDraft", () => {
  const collectIn = async (directory: string, names: readonly string[]) => {
    for (const name of names) writeFileSync(join(directory, name), "");
    await publishTimes(chainIn(directory), 3);
    const newest = await publish(chainIn(directory), "value 4");
    const stat = async () => ({ ...newest.stamp, modified: newest.stamp.modified - MINUTE - 1n });
    const revoked: string[] = [];
    await chainIn(directory, { stat }).collect(newest, async (id) => {
      revoked.push(id);
      if (id === "0f") throw new Error("cannot be revoked");
    });
    return { revoked: revoked.sort(), left: readdirSync(directory).sort() };
  };

  it("revokes abandoned drafts, and removes other files", async () => {
    const names = ["draft-0a", "dead-0b", "projection-0c"];
    const { revoked, left } = await collectIn(freshDirectory(), names);
    expect(revoked).toEqual(["0a", "0b"]);
    expect(left).toEqual(["2", "3", "4", "dead-0b", "draft-0a"]);
  });

  it("continues if a draft cannot be revoked", async () => {
    const { revoked, left } = await collectIn(freshDirectory(), ["draft-0f", "draft-0a", "projection-0c"]);
    expect(revoked).toEqual(["0a", "0f"]);
    expect(left).toEqual(["2", "3", "4", "draft-0a", "draft-0f"]);
  });

  it("removes drafts as files if revokeDraft is omitted", async () => {
    const directory = freshDirectory();
    for (const name of ["draft-0a", "dead-0b"]) writeFileSync(join(directory, name), "");
    const newest = await publish(chainIn(directory), "value");
    const stat = async () => ({ ...newest.stamp, modified: newest.stamp.modified - MINUTE - 1n });
    await chainIn(directory, { stat }).collect(newest);
    expect(readdirSync(directory)).toEqual(["1"]);
  });
});

describe("retire", () => {
  const freshChain = async () => {
    const directory = join(freshDirectory(), "chain");
    mkdirSync(directory);
    await publish(chainIn(directory), "value");
    return { directory, target: `${directory}-removed` };
  };
  const never = async () => {
    throw new Error("not expected");
  };

  it("renames the chain with its contents", async () => {
    const { directory, target } = await freshChain();
    await chainIn(directory).retire(target, never);
    expect(existsSync(directory)).toBe(false);
    expect(readdirSync(target)).toEqual(["1"]);
  });

  it("creates and renames an empty chain if no chain exists", async () => {
    const { directory, target } = await freshChain();
    rmSync(directory, { recursive: true });
    await chainIn(directory).retire(target, never);
    expect(readdirSync(target)).toEqual([]);
  });

  it("clears a target that is left from an interrupted removal", async () => {
    const { directory, target } = await freshChain();
    mkdirSync(target);
    writeFileSync(join(target, "7"), "old");
    let cleared = 0;
    await chainIn(directory).retire(target, async () => {
      cleared++;
      rmSync(target, { recursive: true });
    });
    expect(cleared).toBe(1);
    expect(readdirSync(target)).toEqual(["1"]);
  });

  it.each(["ENOTEMPTY", "EEXIST", "EPERM", "ENOENT"])("retries after %s, with four attempts in total", async (code) => {
    const { directory, target } = await freshChain();
    const attempt = async (failures: number) => {
      const calls: string[] = [];
      const rename = async (from: string, to: string) => {
        calls.push("rename");
        if (calls.filter((call) => call === "rename").length <= failures) throw errnoError(code);
        renameSync(from, to);
      };
      const outcome = await chainIn(directory, { rename })
        .retire(target, async () => void calls.push("clear"))
        .catch(codeOf);
      return { calls, outcome };
    };
    const round = ["rename", "clear"];
    expect(await attempt(4)).toEqual({ calls: [...round, ...round, ...round, "rename"], outcome: code });
    expect(await attempt(3)).toEqual({ calls: [...round, ...round, ...round, "rename"], outcome: undefined });
  });

  it("rejects with any other error", async () => {
    const { directory, target } = await freshChain();
    const strange = () => Promise.reject(new Error("no code"));
    await expect(chainIn(directory, { rename: failing("EACCES") }).retire(target, never)).rejects.toThrow("EACCES");
    await expect(chainIn(directory, { rename: strange }).retire(target, never)).rejects.toThrow("no code");
    await expect(chainIn(directory, { makeDirectory: failing("EROFS") }).retire(target, never)).rejects.toThrow(
      "EROFS",
    );
  });
});

describe("previousValues", () => {
  it("returns the values of the generations that are kept", async () => {
    const chain = chainIn(freshDirectory());
    await publishTimes(chain, 4);
    const head = await publish(chain, "head");
    expect(await chain.previousValues(head)).toEqual(["value 4", "value 3"]);
  });

  it("omits generations that cannot be read", async () => {
    const directory = freshDirectory();
    const chain = chainIn(directory);
    await publish(chain, "first");
    const head = await publish(chain, "second");
    expect(await chain.previousValues(head)).toEqual(["first"]);
    writeFileSync(join(directory, "1"), "damaged");
    expect(await chain.previousValues(head)).toEqual([]);
  });
});

it("formats names, versions and digests", () => {
  const generation = { number: 7, id: "id", value: "v", ancestors: [`a.${digestOf("x")}`, `.${digestOf("y")}`] };
  const newest: Generation = { ...generation, stamp: {} as Stamp };
  expect(versionOf(newest)).toBe("7-id");
  expect(adoptedVersion("digest")).toBe("0-digest");
  expect(["0-digest", "7-id", "70-id", "10-0-"].map(isAdoptedVersion)).toEqual([true, false, false, false]);
  expect(["x", "y", "v", ""].map((text) => isAncestor(newest, text))).toEqual([true, true, false, false]);
  expect(digestOf("")).toBe("47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"); // SHA-256 of an empty text
  expect(temporaryName("projection")).toMatch(/^projection-[0-9a-f]{16}$/);
  expect(chainIn("/chain").generationPath(7)).toBe(join("/chain", "7"));
});
