/** The costs of managers that do nothing. */
import { watch, watchFile } from "node:fs";
import { dirname } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { expect, it, vi } from "vitest";
import { chainOf, freshPath } from "./support.ts";

vi.mock("node:fs", async (importOriginal) => {
  const original = await importOriginal<typeof import("node:fs")>();
  return { ...original, watch: vi.fn(original.watch), watchFile: vi.fn(original.watchFile) };
});

const MINUTE = 60_000;

it("watches each directory once, and polls it once a minute, however many managers are idle", async () => {
  const path = freshPath();
  const warnings: unknown[] = [];
  const onWarning = (warning: unknown) => warnings.push(warning);
  process.on("warning", onWarning);
  await using first = createTokenManager({ store: fileStore({ path }) });
  await first.signIn({ accessToken: "A0" });
  const managers = Array.from({ length: 100 }, () => createTokenManager({ store: fileStore({ path }) }));
  for (const manager of managers) expect(await manager.getAccessToken()).toBe("A0");
  expect(vi.mocked(watch).mock.calls.map(([directory]) => directory)).toEqual([dirname(path), chainOf(path)]);
  expect(vi.mocked(watchFile).mock.calls.map(([directory, options]) => [directory, options])).toEqual([
    [dirname(path), { persistent: false, interval: MINUTE }],
  ]);
  for (const manager of managers) await manager.close();
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});
