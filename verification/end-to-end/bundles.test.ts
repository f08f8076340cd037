/**
 * Tests programs that esbuild has bundled into one file, from the sources or, with `UNEXPIRED_EXHAUSTIVE=1`, from the
 * packed tarballs as npm installs them.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SecretServiceDaemon, secretServiceSkipReason } from "@unexpired-internal/test-support/secret-service-daemon";
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { bundle, KILL_AFTER_CLAIM, run, SESSION_PROGRAM } from "./support/bundle.ts";
import { Consumer } from "./support/consumer.ts";
import { startGraceServer } from "./support/grace-server.ts";

const NO_GRACE = { seconds: 0, replayReturns: "same" } as const;
const ITEM = { service: "unexpired bundles", account: "ada" };

/** Prints the outcome of each store. */
const KEYCHAIN_PROGRAM = `
  import { keychainOrFile, keychainStore } from "@unexpired/store-keychain";

  const outcome = (result) => result.then((value) => value ?? "nothing", ({ code, reason }) => reason ?? code);

  async function main() {
    const item = { ...${JSON.stringify(ITEM)}, directory: "state" };
    const either = keychainOrFile({ ...item, plainTextFile: { path: "plain/session.json" } });
    const keychain = await outcome(keychainStore(item).load().then((found) => found?.value));
    const found = await outcome(either.load().then((found) => found?.value));
    const saved = found === "nothing" ? await outcome(either.save("a session", undefined).then(() => "saved")) : "";
    console.log(JSON.stringify({ keychain, found, saved }));
  }
  main();
`;

let consumer: Consumer | undefined;
let directory: string;

beforeAll(() => {
  if (process.env.UNEXPIRED_EXHAUSTIVE !== "1") return;
  const tarballs = inject("tarballs");
  consumer = new Consumer(["core", "store-node", "store-keychain"].map((name) => tarballs[`@unexpired/${name}`] ?? ""));
}, 120_000);

afterAll(() => consumer?.[Symbol.dispose]());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "unexpired-bundle-"));
  return () => rmSync(directory, { recursive: true });
});

describe.each(["program.mjs", "program.cjs"])("a program that is bundled into %s", (name) => {
  const build = (program: string) =>
    bundle(program, { outfile: join(directory, name), resolveDir: consumer?.directory ?? import.meta.dirname });

  it("continues after a process that was killed in the middle of a save", async () => {
    await using server = await startGraceServer(NO_GRACE);
    const program = build(SESSION_PROGRAM);
    const env = { SESSION_FILE: join(directory, "session.json"), TOKEN_ENDPOINT: server.tokenEndpoint };
    const signIn = { ...env, REFRESH_TOKEN: server.mint() };
    const killed = await run(process.execPath, [...KILL_AFTER_CLAIM, program], { cwd: directory, env: signIn });
    expect(killed).toMatchObject({ stdout: "", signal: "SIGKILL" });
    const lock = join(directory, ".session.json.unexpired", "lock");
    utimesSync(lock, 1, 1); // it has been there for long
    const resumed = await run(process.execPath, [program], { cwd: directory, env });
    expect(resumed).toEqual({ stdout: "renewed\n", stderr: "", signal: null });
    expect(server).toMatchObject({ requests: 1, isRevoked: false });
    expect(existsSync(lock)).toBe(false);
  });

  /** Runs the keychain program where no keychain package is installed. */
  async function useKeychain(bus?: SecretServiceDaemon) {
    const cwd = mkdtempSync(join(directory, "home-"));
    const env = { ...(bus && { DBUS_SESSION_BUS_ADDRESS: bus.address }) };
    const { stdout, stderr } = await run(process.execPath, [build(KEYCHAIN_PROGRAM)], { cwd, env });
    expect(stderr).toBe("");
    return { ...JSON.parse(stdout), hasPlainText: readdirSync(cwd).includes("plain") };
  }

  const withoutBackend = { keychain: "no_backend", found: "nothing", saved: "saved", hasPlainText: true };

  it("reports no_backend without a keychain package, and uses the file if that is allowed", async () => {
    expect(await useKeychain()).toEqual(withoutBackend);
  });

  it("finds a session in the Secret Service without a keychain package", async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    await using service = await SecretServiceDaemon.start();
    expect(await useKeychain(service)).toEqual(withoutBackend);
    service.store({ ...ITEM, secret: "another program's" });
    const found = { keychain: "another program's", found: "another program's", saved: "", hasPlainText: false };
    expect(await useKeychain(service)).toEqual(found);
    service.lock();
    expect(await useKeychain(service)).toEqual({ ...found, keychain: "locked", found: "locked" });
  });
});
