import { expect, it } from "vitest";
import { shownMarkOf } from "../src/documents/entry.ts";
import { ShownMark } from "../src/documents/shown-mark.ts";
import { nodeFileSystem } from "../src/filesystem.ts";
import { freshDirectory } from "./support.ts";

it("accepts that another process has remembered the same session in the meantime", async () => {
  const chain = freshDirectory();
  const value = JSON.stringify({ schema: 1, obtainedAt: 0, spent: [], tokens: { accessToken: "canary-a" } });
  const known = await new ShownMark(nodeFileSystem, chain).read();
  await new ShownMark(nodeFileSystem, chain).remember(value, known);
  const late = new ShownMark({ ...nodeFileSystem, list: async () => [] }, chain);
  await late.remember(value, known);
  expect(await new ShownMark(nodeFileSystem, chain).read()).toEqual([shownMarkOf(value)]);
});
