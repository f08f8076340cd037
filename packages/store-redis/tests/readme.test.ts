/** Runs the code of the README. */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { startIssuer } from "@unexpired/testing";
import { Forwarder } from "@unexpired-internal/engines/forwarder";
import { describe, expect, it, onTestFinished } from "vitest";
import { freshKey, SOON, TestServer } from "./support/server.ts";

const server = TestServer.use();
const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
const blocks = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code = ""]) => code);

/** Starts a program in a process of its own. */
function start(program: string, variables: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(join(import.meta.dirname, "readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "program.ts");
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file], { env: { ...process.env, REDIS_URL: server.redis.url, ...variables } });
  onTestFinished(() => void child.kill());
  return { child, errors: text(child.stderr) };
}

/** Runs a program, and returns its output. */
async function run(program: string, variables?: Readonly<Record<string, string>>): Promise<string> {
  const { child, errors } = start(program, variables);
  const output = await text(child.stdout);
  expect(await errors).toBe("");
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

/** For each line of its input, prints what it loads. Ends with its input. */
const LOAD = (key: string, end: string) => `
await store("${key}").save("value", undefined);
for await (const _ of process.stdin)
  console.log(await store("${key}").load().then((stored) => stored?.value, (error) => error.code));
${end}
`;

describe.each([
  ["ioredis", "redis.disconnect();"],
  ["iovalkey", "redis.disconnect();"],
  ["redis", "client.destroy();"],
])("the program for %s", (client, end) => {
  const name = client === "iovalkey" ? "ioredis" : client; // it is a fork, with the same functions
  const program = (blocks.find((code) => code.startsWith(`// ${name}\n`)) ?? "").replaceAll(name, client);

  it("notifies of changes, lists the keys, and ends", async () => {
    expect(await run(program + USE(freshKey(), end))).toBe("listed\n");
  });

  it("loads again after its connection hangs, and after a restart", { timeout: 60_000 }, async () => {
    const sooner = program.replaceAll("5_000", "1_000").replaceAll("2_000", "400");
    await using forwarder = await Forwarder.start(server.redis.port);
    const { child, errors } = start(sooner + LOAD(freshKey(), end), { REDIS_URL: server.redis.urlAt(forwarder.port) });
    const lines = child.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
    const load = async () => {
      child.stdin.write("load");
      return (await lines.next()).value;
    };
    expect(await load()).toBe("value\n");
    forwarder.stall();
    expect(await load()).toBe("STORE_UNAVAILABLE\n");
    await expect.poll(load, SOON).toBe("value\n");
    await server.redis.restart();
    await expect.poll(load, SOON).toBe("value\n");
    child.stdin.end();
    expect(await lines.next()).toMatchObject({ done: true });
    expect(await errors).toBe("");
  });
});
