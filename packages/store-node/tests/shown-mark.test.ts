import { expect, it } from "vitest";
import { shownMarkOf } from "../src/documents/entry.ts";
import { ShownMark } from "../src/documents/shown-mark.ts";
import { nodeFileSystem } from "../src/filesystem.ts";
import { jsonFormat } from "../src/index.ts";
import { freshDirectory } from "./support.ts";

const format = jsonFormat({ at: [], fields: { accessToken: "access", refreshToken: "refresh" } });

it("accepts that another process has remembered the same session in the meantime", async () => {
  const chain = freshDirectory();
  const value = JSON.stringify({ schema: 1, obtainedAt: 0, spent: [], tokens: { accessToken: "canary-a" } });
  const known = await new ShownMark(nodeFileSystem, chain, format).read();
  await new ShownMark(nodeFileSystem, chain, format).remember(value, known);
  const late = new ShownMark({ ...nodeFileSystem, list: async () => [] }, chain, format);
  await late.remember(value, known);
  expect(await new ShownMark(nodeFileSystem, chain, format).read()).toEqual({
    shown: [shownMarkOf(format, value)],
    writing: [],
  });
});
