import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createTokenManager } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { fileDocument, fileStore, jsonFormat, mirroredStore } from "../../src/index.ts";
import { exit, freshDirectory, message, start } from "../support.ts";

const format = jsonFormat({ at: ["session"], fields: { accessToken: "access", refreshToken: "refresh" } });

/** Four documents of a session that another process replaces until it dies. */
function startSession() {
  const directory = freshDirectory();
  const primary = join(directory, "session.json");
  const paths = [0, 1, 2, 3].map((index) => join(directory, `${index}.json`));
  for (const path of paths) writeFileSync(path, '{\n  "theme": "dark"\n}\n');
  const run = (...args: string[]) => start("mirror-forever", { args: [primary, paths.join(), ...args] });
  const open = () =>
    mirroredStore(
      fileStore({ path: primary }),
      paths.map((path) => fileDocument({ path, format })),
    );
  return { directory, paths, run, open };
}

const sessionIn = (path: string) => {
  const { theme, session } = JSON.parse(readFileSync(path, "utf8")) as { theme: string; session?: { refresh: string } };
  expect(theme).toBe("dark");
  return session?.refresh;
};

describe("a process that is killed between the primary and the documents (P5)", () => {
  it.each(["0", "1", "2", "3"])("is followed by one that writes document %s and the others", async (index) => {
    const { paths, run, open } = startSession();
    expect(await exit(run(index))).toBe("SIGKILL");
    const before = paths.map(sessionIn);
    await using tokens = createTokenManager({ store: open() });
    const { refreshToken } = await tokens.getTokenSet();
    expect(before[Number(index)]).not.toBe(refreshToken);
    expect(paths.map(sessionIn)).toEqual(paths.map(() => refreshToken));
  });

  it("is followed by one that writes all documents, if it is killed at any moment, 20 times", {
    timeout: 60_000,
  }, async () => {
    const { directory, paths, run, open } = startSession();
    for (let round = 0; round < 10; round++) {
      const child = run();
      await message(child);
      await setTimeout(round * 2);
      child.kill("SIGKILL");
      await exit(child);
      await using tokens = createTokenManager({ store: open() });
      const { refreshToken } = await tokens.getTokenSet();
      expect(paths.map(sessionIn)).toEqual(paths.map(() => refreshToken));
    }
    expect(readdirSync(directory).filter((name) => !name.startsWith("."))).toHaveLength(5);
  });
});
