/** Runs the code of the README. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { startIssuer } from "@unexpired/testing";
import { describe, expect, it, onTestFinished } from "vitest";
import { TestServer } from "./support/server.ts";

const server = TestServer.use();
const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => code);

/** Runs a program in a process of its own, and returns its output. */
async function run(program: string, variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = mkdtempSync(join(import.meta.dirname, "readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "program.ts");
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file], { env: { ...process.env, REDIS_URL: server.redis.url, ...variables } });
  onTestFinished(() => void child.kill());
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(errors).toBe("");
  return output;
}

it("begins with a program that stores a session, and finds it the next time", async () => {
  await using issuer = await startIssuer();
  const [program = ""] = blocks;
  const variables = { TOKEN_ENDPOINT: issuer.tokenEndpoint, API: `${new URL(issuer.tokenEndpoint).origin}/api` };
  const { refreshToken = "" } = issuer.signIn();
  await run(program, { ...variables, REFRESH_TOKEN: refreshToken });
  await run(program, variables);
  expect(issuer).toMatchObject({ exchanges: 1, revoked: 0 });
  expect(await server.fields("user:42")).toMatchObject({ status: "alive" });
});

/** Saves through one store while another one watches, lists the keys, and leaves the closing to the client. */
const USE = (key: string, end: string) => `
const changed = new Promise((resolve) => {
  let calls = 0;
  const stop = store("${key}").watch?.(() => {
    if (++calls === 1) void store("${key}").save("value", undefined); // subscribed
    else resolve(stop?.());
  });
});
await changed;
for await (const key of list?.() ?? []) if (key === "${key}") console.log("listed");
${end}
`;

describe.each([
  ["ioredis", "redis.disconnect();"],
  ["redis", "client.destroy();"],
])("the program for %s", (client, end) => {
  it("notifies of changes, lists the keys, and ends", async () => {
    const block = blocks.find((code) => code.startsWith(`// ${client}\n`)) ?? "";
    const key = `user:${randomUUID()}`;
    expect(await run(block + USE(key, end))).toBe("listed\n");
  });
});
