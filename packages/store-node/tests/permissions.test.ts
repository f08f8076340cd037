/** Node's permission model. Deno's is tested in `verification/end-to-end/runtimes.test.ts`. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it, type TestContext } from "vitest";
import { freshDirectory, message, start, textOf } from "./support.ts";

const REPOSITORY = join(import.meta.dirname, "../../..");

/** Saves in a process that may use nothing but our code and the given directories. */
async function saveWith(ctx: TestContext, path: string, allowed: { readonly read: string; readonly write?: string }) {
  if (!process.allowedNodeEnvironmentFlags.has("--permission")) ctx.skip("not applicable: needs Node 22.13");
  const execArgv = ["--permission", `--allow-fs-read=${REPOSITORY}`, `--allow-fs-read=${allowed.read}`];
  if (allowed.write) execArgv.push(`--allow-fs-write=${allowed.write}`);
  return message(start("save-once", { args: [path, "a session"], execArgv }));
}

it("needs permission for nothing but the directory of the session", async (ctx) => {
  const directory = freshDirectory();
  const path = join(directory, "session.json");
  expect(await saveWith(ctx, path, { read: directory, write: directory })).toEqual({ saved: true });
  expect(textOf(path)).toBe("a session");
});

it("needs no permission for the parent of a directory that it creates", async (ctx) => {
  const directory = join(freshDirectory(), "new");
  const path = join(directory, "session.json");
  const allowed = `${directory}*`; // Node adds the wildcard itself if the directory exists
  expect(await saveWith(ctx, path, { read: allowed, write: allowed })).toEqual({ saved: true });
});

it("names the options that grant a missing permission", async (ctx) => {
  const directory = join(freshDirectory(), "state");
  mkdirSync(directory);
  const result = await saveWith(ctx, join(directory, "session.json"), { read: directory });
  expect(result).toMatchObject({
    error: { code: "STORE_UNAVAILABLE", hint: expect.stringContaining("--allow-fs-write") },
  });
});
