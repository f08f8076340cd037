import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describeTokenStore } from "@unexpired/testing";
import { afterAll, describe, expect, it } from "vitest";
import { harness } from "./harness.ts";
import { sqliteStore } from "./sqlite-store.ts";

describeTokenStore({ describe, it }, harness);

const directory = mkdtempSync(join(tmpdir(), "sqlite-store-"));
afterAll(() => rmSync(directory, { recursive: true }));

it("lets only the owner read the file", async (ctx) => {
  if (process.platform === "win32") ctx.skip("not applicable: Windows has no modes");
  const path = join(directory, "private.db");
  await sqliteStore({ path }).save("value", undefined);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("keeps sessions with different names in one database separate", async () => {
  const path = join(directory, "several.db");
  const [ada, bob] = [sqliteStore({ path, name: "ada" }), sqliteStore({ path, name: "bob" })];
  await ada.save("Ada's", undefined);
  expect(await bob.load()).toBeUndefined();
  await bob.save("Bob's", undefined);
  await bob.remove();
  expect(await ada.load()).toMatchObject({ value: "Ada's" });
});

it("distinguishes unavailable from unreadable databases", async () => {
  const missing = sqliteStore({ path: join(directory, "no-such-directory", "sessions.db") });
  await expect(missing.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  const path = join(directory, "foreign.db");
  new DatabaseSync(path).exec("CREATE TABLE session (something TEXT)");
  await expect(sqliteStore({ path }).load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
  writeFileSync(path, "this is not a database");
  await expect(sqliteStore({ path }).load()).rejects.toMatchObject({ code: "STORE_UNREADABLE" });
});

it("waits while another connection writes", async () => {
  const path = join(directory, "busy.db");
  const store = sqliteStore({ path });
  await store.save("value", undefined);
  const other = new DatabaseSync(path);
  other.exec("BEGIN EXCLUSIVE");
  const loaded = store.load();
  setImmediate(() => other.exec("COMMIT"));
  expect(await loaded).toMatchObject({ value: "value" });
  other.close();
});
