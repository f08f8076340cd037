import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileStore } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { chainOf, exit, freshDirectory, freshPath, generationsOf, latch, message, start, textOf } from "./support.ts";

it("loses none of 8 × 100 increments by 8 processes", { timeout: 120_000 }, async () => {
  const path = freshPath();
  const children = Array.from({ length: 8 }, () => start("increment", { args: [path, "100"] }));
  expect(await Promise.all(children.map(exit))).toEqual(Array(8).fill(0));
  expect((await fileStore({ path }).load())?.value).toBe("800");
  expect(textOf(path)).toBe("800");
  expect(generationsOf(path)).toEqual([798, 799, 800]);
});

const isWhole = (value: string): boolean => {
  const [number = "", text = ""] = value.split(":");
  return text === String(Number(number) % 10).repeat(20_000);
};

it("shows readers only complete values, in the chain and in the session file, in order", async () => {
  const path = freshPath();
  const writer = start("save-forever", { args: [path] });
  await message(writer);
  const store = fileStore({ path });
  let last = -1;
  for (let distinct = 0; distinct < 40; ) {
    const { value } = (await store.load()) ?? { value: "" };
    expect(isWhole(value)).toBe(true);
    expect(isWhole(textOf(path))).toBe(true);
    const number = Number.parseInt(value, 10);
    expect(number).toBeGreaterThanOrEqual(last);
    if (number > last) distinct++;
    last = number;
  }
});

/** Starts a writer, waits until it reports a save, kills it a little later, and checks the stored session. */
async function killOnce(path: string, delay: number): Promise<void> {
  const child = start("save-forever", { args: [path] });
  let reported = -1;
  child.on("message", (number) => {
    reported = Number(number);
  });
  await message(child);
  await setTimeout(delay);
  child.kill("SIGKILL");
  await exit(child);
  const found = await fileStore({ path }).load();
  const value = found?.value ?? "";
  expect(isWhole(value)).toBe(true);
  // A save in flight may have succeeded without having been reported.
  expect([reported, reported + 1]).toContain(Number.parseInt(value, 10));
  expect(isWhole(textOf(path))).toBe(true);
}

it("keeps the old or the new session if a writer is killed at any moment, 50 times", {
  timeout: 120_000,
}, async () => {
  const paths = [freshPath(), freshPath()];
  await Promise.all(
    paths.map(async (path) => {
      for (let round = 0; round < 25; round++) await killOnce(path, (round * 7) % 12);
      const store = fileStore({ path });
      const version = await store.save("after", (await store.load())?.version);
      expect(await fileStore({ path }).load()).toEqual({ value: "after", version });
      expect(textOf(path)).toBe("after");
    }),
  );
});

it("creates private files regardless of the umask", async () => {
  const path = join(freshDirectory(), "new", "session.json");
  const child = start("save-once", { args: [path, "1"] });
  expect(await message(child)).toEqual({ saved: true });
  const modes = [path, join(chainOf(path), "1"), chainOf(path), dirname(path)].map(
    (name) => statSync(name).mode & 0o777,
  );
  expect(modes).toEqual([0o600, 0o600, 0o700, 0o700]);
});

it("does not keep a process alive by watching, even before the directory exists", async () => {
  const path = join(freshDirectory(), "missing", "session.json");
  expect(await exit(start("watch", { args: [path] }))).toBe(0);
  expect(existsSync(dirname(path))).toBe(false);
  await fileStore({ path }).save("1", undefined);
  expect(await exit(start("watch", { args: [path] }))).toBe(0);
});

it("notifies of another process's save until watching is stopped", async () => {
  const path = freshPath();
  const store = fileStore({ path });
  let calls = 0;
  const changed = latch();
  const stop = store.watch?.(() => {
    calls++;
    changed.open();
  });
  await exit(start("save-once", { args: [path, "1"] }));
  await changed.opened;
  expect((await store.load())?.value).toBe("1");
  stop?.();
  calls = 0;
  // A second watch tells when the event has been delivered.
  const second = latch();
  const stopSecond = fileStore({ path }).watch?.(second.open);
  await exit(start("save-once", { args: [path, "2"] }));
  await second.opened;
  stopSecond?.();
  expect(calls).toBe(0);
});

it("notifies of a session in a directory that is created later", async () => {
  const path = join(freshDirectory(), "missing", "session.json");
  const changed = latch();
  const stop = fileStore({ path }).watch?.(changed.open);
  expect(existsSync(dirname(path))).toBe(false);
  await fileStore({ path }).save("1", undefined);
  await changed.opened;
  stop?.();
});
