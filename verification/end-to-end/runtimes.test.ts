/** Tests the packed packages in other runtimes than Node, and inside Jest, which runs tests in realms of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { root } from "../../scripts/workspace.ts";
import { firstProgram, startServers } from "./readme.ts";
import { bundle, KILL_AFTER_CLAIM, run, SESSION_PROGRAM } from "./support/bundle.ts";
import { Consumer } from "./support/consumer.ts";
import { type GraceServer, startGraceServer } from "./support/grace-server.ts";
import { COMMANDS, executable, RUNTIMES, runInWorkerd } from "./support/runtimes.ts";

const NO_GRACE = { seconds: 0, replayReturns: "same" } as const;
const MINUTE = 60_000;
const RENEWED = { stdout: "renewed\n", stderr: "", signal: null };

let consumer: Consumer;
let directory: string;

beforeAll(() => {
  const names = ["core", "store-node", "sign-in"];
  const tarballs = names.map((name) => inject("tarballs")[`@unexpired/${name}`] ?? "");
  consumer = new Consumer([...tarballs, "--ignore-scripts", "jest@30.5.2", ...RUNTIMES]);
  consumer.write("program.ts", firstProgram(readFileSync(join(root, "README.md"), "utf8")));
  consumer.write("session.mjs", SESSION_PROGRAM);
}, 5 * MINUTE);

afterAll(() => consumer[Symbol.dispose](), MINUTE);

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "unexpired-runtime-")));
  return () => rmSync(directory, { recursive: true });
});

/** Runs a file of the consumer. */
function runIn(runtime: string, args: readonly string[], env: Readonly<Record<string, string>>) {
  const [program = "", ...options] = COMMANDS[runtime]?.(consumer.directory) ?? [];
  return run(program, [...options, ...args], { cwd: consumer.directory, env });
}

const environmentOf = (server: GraceServer) => ({
  SESSION_FILE: join(directory, "session.json"),
  TOKEN_ENDPOINT: server.tokenEndpoint,
});

/** Signs in with a program that is killed after its claim, and makes the lock that it leaves an old one. */
async function abandonClaim(server: GraceServer): Promise<void> {
  const env = { ...environmentOf(server), REFRESH_TOKEN: server.mint() };
  expect(await runIn("Node", [...KILL_AFTER_CLAIM, "session.mjs"], env)).toMatchObject({ signal: "SIGKILL" });
  utimesSync(lockFile(), 1, 1);
}

const lockFile = () => join(directory, ".session.json.unexpired", "lock");

describe.each(["Deno", "Bun"])("%s", (runtime) => {
  it("runs the program of the README", async () => {
    await using servers = await startServers();
    const env = { ...servers.env, HOME: directory, LOCALAPPDATA: directory, XDG_STATE_HOME: directory };
    expect((await runIn(runtime, ["program.ts"], env)).stdout).toContain(servers.secretOfTheApi);
  });

  it("continues after a Node process that was killed in the middle of a save", async () => {
    await using server = await startGraceServer(NO_GRACE);
    await abandonClaim(server);
    expect(await runIn(runtime, ["session.mjs"], environmentOf(server))).toEqual(RENEWED);
    expect(server).toMatchObject({ requests: 1, isRevoked: false });
  });
});

it("makes one exchange if Node, Deno and Bun find an expired session", async () => {
  await using server = await startGraceServer(NO_GRACE);
  await abandonClaim(server);
  const runtimes = Object.keys(COMMANDS);
  const all = [...runtimes, ...runtimes].map((runtime) => runIn(runtime, ["session.mjs"], environmentOf(server)));
  expect(await Promise.all(all)).toEqual(all.map(() => RENEWED));
  expect(server).toMatchObject({ requests: 1, isRevoked: false });
});

it("asks for no permission that Deno has not granted", async () => {
  await using server = await startGraceServer(NO_GRACE);
  const env = { ...environmentOf(server), REFRESH_TOKEN: server.mint() };
  mkdirSync(lockFile(), { recursive: true });
  utimesSync(lockFile(), 1, 1);
  const audit = join(consumer.directory, "permissions.jsonl");
  const names = Object.keys(env);
  const granted = [`--allow-read=${directory}`, `--allow-write=${directory}`, `--allow-env=${names}`];
  const args = ["run", "--no-prompt", "--allow-net=127.0.0.1", ...granted, "session.mjs"];
  const options = { cwd: consumer.directory, env: { ...env, DENO_AUDIT_PERMISSIONS: audit } };
  expect(await run(executable(consumer.directory, "@deno", "deno"), args, options)).toEqual(RENEWED);
  const requests = readFileSync(audit, "utf8").trim().split("\n");
  const values = requests.map((line): [string, string] => {
    const { permission, value } = JSON.parse(line);
    return [permission, value];
  });
  const isGranted: Readonly<Record<string, (value: string) => boolean>> = {
    env: (value) => names.includes(value),
    net: (value) => /^(http:\/\/)?127\.0\.0\.1:/.test(value),
    read: (value) => value.startsWith(directory),
    write: (value) => value.startsWith(directory),
  };
  expect(values.length).toBeGreaterThan(10);
  expect(values.filter(([permission, value]) => !isGranted[permission]?.(value))).toEqual([]);
});

it("continues after a program that Bun compiled was killed in an exchange", { timeout: MINUTE }, async () => {
  await using server = await startGraceServer(NO_GRACE);
  const file = join(directory, "program.exe");
  const built = await runIn("Bun", ["build", "--compile", "session.mjs", "--outfile", file], {});
  expect(built.signal, built.stderr).toBeNull();
  const env = environmentOf(server);
  const held = server.holdNext("before");
  const child: ChildProcess = spawn(file, { env: { ...process.env, ...env, REFRESH_TOKEN: server.mint() } });
  await held;
  child.kill("SIGKILL");
  mkdirSync(lockFile());
  utimesSync(lockFile(), 1, 1);
  expect(await run(file, [], { cwd: directory, env })).toEqual(RENEWED);
  expect(server).toMatchObject({ requests: 2, isRevoked: false });
});

const WORKER = `
  import { createFetch, createTokenManager, isAuthError, memoryStore } from "@unexpired/core";
  import { oauth2Refresh } from "@unexpired/core/oauth2";

  const refresh = oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "worker" });
  const tokens = createTokenManager({ store: memoryStore(), refresh });
  const send = createFetch(tokens, { origins: [new URL(API).origin] });

  export default {
    async test() {
      await tokens.signIn({ refreshToken: REFRESH_TOKEN });
      const responses = await Promise.all([send(API), send(API)]);
      for (const response of responses) console.log(await response.text());
      await tokens.signOut();
      console.log(isAuthError(await send(API).catch((error) => error)));
      await tokens.close();
    },
  };
`;

it("runs the core in workerd", async () => {
  await using servers = await startServers();
  const { stdout, stderr } = await runInWorkerd(WORKER, { folder: consumer.directory, directory, env: servers.env });
  const body = JSON.stringify({ secret: servers.secretOfTheApi });
  expect(stdout, stderr).toBe(`${body}\n${body}\ntrue\n`);
});

describe("Jest", () => {
  const test = `
    import { existsSync } from "node:fs";
    ${SESSION_PROGRAM.replace("main(process.env);", "")}
    it("renews a session", async () => {
      await expect(main(process.env)).resolves.toBeUndefined();
      expect(existsSync(process.env.LOCK)).toBe(false);
    });
  `;

  /** Runs a test file with an abandoned claim and lock. */
  async function runTest(file: string, ...options: string[]) {
    await using server = await startGraceServer(NO_GRACE);
    await abandonClaim(server);
    const jest = join(consumer.directory, "node_modules/jest/bin/jest.js");
    const args = [...options, jest, "--rootDir", dirname(file), "--runTestsByPath", file, "--silent"];
    const env = { ...environmentOf(server), LOCK: lockFile() };
    const { stderr } = await runIn("Node", args, env);
    expect(stderr).toContain("1 passed");
    expect(server).toMatchObject({ requests: 1, isRevoked: false });
  }

  it("runs a session in a test that is an ES module", { timeout: MINUTE }, async () => {
    consumer.write("session.test.js", test);
    await runTest(join(consumer.directory, "session.test.js"), "--experimental-vm-modules");
  });

  it("runs a session in a test that is bundled to CommonJS", { timeout: MINUTE }, async () => {
    await runTest(bundle(test, { outfile: join(directory, "session.test.cjs"), resolveDir: consumer.directory }));
  });
});
