import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { POOL_FILES, tokensIn } from "./support/pool-files.ts";
import { order, Pool, propagate } from "./support/pool-members.ts";

it("shows what any process or program obtains in all four files within a second, and sends no token twice", async () => {
  await using pool = await Pool.create();
  const { refreshed, written } = await propagate(pool, 8); // rejects after a second
  expect([refreshed.length, written.length]).toEqual([8, 8]);
  expect(pool.server.tokenRequests).toBe(8);
  expect(pool.server.revokedGrants).toBe(0);
  const [profile, agent] = [0, 3].map((index) =>
    readFileSync(join(pool.directory, POOL_FILES[index]?.name ?? ""), "utf8"),
  );
  expect(profile).toContain('{ "id": "c0ffee", "label": "api key", "api_key": "not-ours", "priority": 0 }');
  expect(agent).toContain("// settings of the agent");
});

it("makes one exchange for two pools that find an expired session at once (P4)", async () => {
  await using pool = await Pool.create();
  const members = await Promise.all([pool.start(), pool.start()]);
  await pool.signIn(2, { expired: true });
  const [one, two] = await Promise.all(members.map((member) => order(member, "get")));
  expect(one?.accessToken).toBe(two?.accessToken);
  expect(pool.server.tokenRequests).toBe(1);
  await pool.shown(one?.accessToken ?? "");
});

it("repairs the files of a process that was killed between the primary and the documents (P5)", async () => {
  await using pool = await Pool.create();
  await pool.signIn(3, { expired: true });
  const dying = await pool.start({ dies: true });
  dying.send("get");
  await once(dying, "exit");
  expect(pool.server.tokenRequests).toBe(1);
  const { accessToken, respondedAt } = await order(await pool.start(), "get");
  expect(respondedAt).toBeUndefined();
  expect(await pool.server.verify(accessToken ?? "")).toBe(true);
  await pool.shown(accessToken ?? "");
  expect(pool.server.tokenRequests).toBe(1);
});

it("stops a process with another primary before it sends anything", async () => {
  await using pool = await Pool.create();
  const token = await pool.signIn(0);
  await pool.start();
  await pool.shown(token);
  const stranger = await pool.start({ primary: "other.json" });
  for (const what of ["get", "refresh"] as const) {
    expect(await order(stranger, what)).toMatchObject({
      code: "CONFIGURATION",
      message: expect.stringContaining("Name the same primary"),
    });
  }
  expect(pool.server.tokenRequests).toBe(0);
  expect(tokensIn(pool.directory)).toEqual([token, token, token, token]);
});
