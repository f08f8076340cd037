/** Runs the program of docs/pools.md. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { startResourceServer } from "@unexpired/testing";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it, onTestFinished } from "vitest";
import { block, readPage } from "./support/pages.ts";

const [PERSONAL, WORK] = [canary("access", "personal"), canary("access", "work")];

it("has a program that goes on with another session after a 429, also when it is started again", async () => {
  await using api = await startResourceServer();
  api.respond = ({ authorization }) => ({ status: authorization === `Bearer ${WORK}` ? 200 : 429 });
  const folder = mkdtempSync(join(import.meta.dirname, "pool-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, accessToken] of [["personal", PERSONAL] as const, ["work", WORK] as const]) {
    await using manager = createTokenManager({ store: fileStore({ path: join(folder, `${name}.json`) }) });
    await manager.signIn({ accessToken });
  }
  const program = join(folder, "program.ts");
  writeFileSync(program, block(readPage("docs/pools.md"), "pool"));
  const env = { ...process.env, API: api.origin, DIRECTORY: folder };
  const runOnce = async () => (await promisify(execFile)(process.execPath, [program], { env })).stdout;
  const expected = "200 with the token of work\n{ available: [ 'work' ], unavailable: [ 'personal: rate_limited' ] }\n";
  expect([await runOnce(), await runOnce()]).toEqual([expected, expected]);
  expect(api.received).toHaveLength(3);
});
