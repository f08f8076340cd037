/** Token pools of several processes, which share their sessions and cooldowns in files. */
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { exit, freshDirectory, message, start } from "./support.ts";

const [A1, A2, B1] = [canary("access", "a1"), canary("access", "a2"), canary("access", "b1")];

async function signIn(directory: string, name: string, accessToken: string): Promise<void> {
  await using manager = createTokenManager({ store: fileStore({ path: join(directory, `${name}.json`) }) });
  await manager.signIn({ accessToken });
}

async function startPools(count: number) {
  const directory = freshDirectory();
  await signIn(directory, "a", A1);
  await signIn(directory, "b", B1);
  const children = Array.from({ length: count }, () => start("pool", { args: [directory] }));
  for (const child of children) expect(await message(child)).toBe("ready");
  return { directory, children };
}

function call(child: ChildProcess | undefined, ...parameters: string[]): Promise<unknown> {
  if (!child) throw new Error("no such process");
  const result = message(child);
  child.send(parameters);
  return result;
}

const storedIn = (directory: string) => JSON.parse(readFileSync(join(directory, "cooldowns.json"), "utf8"));

it("put an entry aside for all processes, until another program signs in", { timeout: 60_000 }, async () => {
  const { directory, children } = await startPools(2);
  const [first, second] = children;
  expect([await call(first, "get"), await call(second, "get")]).toEqual([A1, A1]);
  expect(await call(first, "reject", A1, "3600")).toBe(B1);
  await expect.poll(() => call(second, "get")).toBe(B1);
  const third = start("pool", { args: [directory] });
  await message(third);
  expect(await call(third, "get")).toBe(B1);
  expect(await call(second, "why")).toMatchObject({
    available: ["b"],
    unavailable: [{ entry: "a", reason: "rate_limited" }],
  });
  expect(JSON.stringify(storedIn(directory))).not.toContain("canary");

  expect(await call(second, "reject", B1, "3600")).toBe("REFRESH_FAILED exhausted");
  await signIn(directory, "a", A2);
  expect([await call(first, "get"), await call(second, "get"), await call(third, "get")]).toEqual([A2, A2, A2]);
  await Promise.all([...children, third].map((child) => call(child, "close")));
  expect(await Promise.all([...children, third].map(exit))).toEqual([0, 0, 0]);
});

it("keep the latest end of 6 processes that put an entry aside at once", { timeout: 60_000 }, async () => {
  const { directory, children } = await startPools(6);
  await Promise.all(children.map((child) => call(child, "get")));
  const before = Date.now();
  await Promise.all(children.map((child, index) => call(child, "reject", A1, `${(index + 1) * 100}`)));
  const { cooldowns } = storedIn(directory);
  expect(cooldowns).toMatchObject([{ entry: "a", reason: "rate_limited", length: 600_000 }]);
  expect(cooldowns[0].until).toBeGreaterThanOrEqual(before + 600_000);
});
