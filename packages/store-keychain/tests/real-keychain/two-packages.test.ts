/** Both packages with one Secret Service, and each of them without the other one installed. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BuiltInBackend, keychainStore } from "../../src/index.ts";
import type { StoreCall } from "../fixtures/call-store.ts";
import { describeWithRealKeychain, type RealKeychain } from "../support/real-keychain.ts";

const PAIRS = [
  { writer: "keytar", reader: "@napi-rs/keyring" },
  { writer: "@napi-rs/keyring", reader: "keytar" },
] as const;
const SECRET = "canary-session";

interface CallResult {
  readonly value?: unknown;
  readonly code?: string;
  readonly reason?: string;
  readonly text?: string;
}

/** Calls a store in a separate process in which one package is not installed. */
async function callWithout(missing: BuiltInBackend, call: StoreCall): Promise<CallResult> {
  const fixture = (name: string) => join(import.meta.dirname, "../fixtures", name);
  const child = fork(fixture("call-store.ts"), [JSON.stringify(call)], {
    env: { ...process.env, NODE_OPTIONS: "", WITHOUT_PACKAGE: missing },
    execArgv: ["--import", fixture("hide-package.mjs")],
  });
  const exit = once(child, "exit");
  const [result] = await Promise.race([
    once(child, "message"),
    exit.then(([code]) => [{ text: `ended with ${code}` }]),
  ]);
  await exit;
  return result;
}

function testMigration(keychain: RealKeychain): void {
  it.each(PAIRS)(
    "reads a session of $writer with $reader, and moves it only if backend is set",
    async ({ writer, reader }) => {
      const { backend: _, ...anyBackend } = keychain.newSession(writer);
      const version = await keychainStore({ ...anyBackend, backend: writer }).save("value", undefined);
      const moving = keychainStore({ ...anyBackend, backend: reader });
      expect(await moving.load()).toEqual({ value: "value", version });
      const unmoved = await keychainStore(anyBackend).save("again", version);
      expect(await keychain.secretsOf(anyBackend, writer)).toContain('"again"');
      expect(await keychain.secretsOf(anyBackend, reader)).toEqual([]);
      await moving.save("moved", unmoved);
      expect(await keychain.secretsOf(anyBackend, reader)).toEqual(['"moved"']);
      expect(await keychainStore(anyBackend).load()).toMatchObject({ value: "moved" });
    },
  );
}

function testWithoutPackage(keychain: RealKeychain, { writer, reader }: (typeof PAIRS)[number]): void {
  it("reads a session, and reports remedies when it is written", async () => {
    const { backend: _, ...options } = keychain.newSession(writer);
    const version = await keychainStore({ ...options, backend: writer }).save(SECRET, undefined);
    const load = await callWithout(writer, { options, call: ["load"] });
    expect(load).toEqual({ value: { value: SECRET, version } });
    const save = await callWithout(writer, { options, call: ["save", "canary-new", version] });
    expect(save).toMatchObject({ code: "STORE_UNAVAILABLE", reason: "no_backend" });
    expect(save.text).toContain(`npm install ${writer}`);
    expect(save.text).toContain('set the "backend" option');
    expect(save.text).not.toContain("canary");
  });

  it("moves a session, and deletes its old items", async () => {
    const session = keychain.newSession(writer);
    const version = await keychainStore(session).save(SECRET, undefined);
    const again = await keychainStore(session).save(`${SECRET} 2`, version);
    const moved = { ...session, backend: reader };
    const save = await callWithout(writer, { options: moved, call: ["save", "canary-moved", again] });
    expect(save).toEqual({ value: expect.any(String) });
    expect(await keychain.secretsOf(session, reader)).toEqual(['"canary-moved"']);
    const last = await callWithout(writer, { options: moved, call: ["save", "canary-last", String(save.value)] });
    expect(last).toEqual({ value: expect.any(String) });
    expect(await keychain.secretsOf(session, writer)).toEqual([]);
  });

  it("reads and adopts an item of another program", async () => {
    const session = keychain.newSession(reader);
    const backend = await keychain.backend(writer);
    await backend.set(session.service, session.account, SECRET);
    const load = await callWithout(writer, { options: session, call: ["load"] });
    expect(load).toMatchObject({ value: { value: SECRET } });
    const { version } = load.value as { version: string };
    const save = await callWithout(writer, { options: session, call: ["save", "canary-taken", version] });
    expect(save).toEqual({ value: expect.any(String) });
    expect(await keychain.secretsOf(session, writer)).toEqual([]);
    expect(await keychain.secretsOf(session, reader)).toEqual(['"canary-taken"']);
  });
}

/** Has to run last: without a prompt, the collection cannot be unlocked again. */
function testLocked(keychain: RealKeychain): void {
  it("reports locked items as locked, with and without the package that wrote them", async () => {
    const sessions = PAIRS.map(({ writer }) => keychain.newSession(writer));
    for (const session of sessions) await keychainStore(session).save(SECRET, undefined);
    const expectLocked = async () => {
      for (const { backend: writer, ...options } of sessions) {
        const load = await callWithout(writer, { options, call: ["load"] });
        expect(load).toMatchObject({ code: "STORE_UNREADABLE", reason: "locked" });
        expect(load.text).not.toContain(SECRET);
        // With the package, too: keytar reports items in a locked collection as missing.
        await expect(keychainStore(options).load()).rejects.toMatchObject({ reason: "locked" });
      }
    };
    keychain.service.lock();
    await expectLocked();
    keychain.service.useMemoryCollection(); // not the collection that stores the items
    await expectLocked();
  });
}

describeWithRealKeychain("two packages on a real Secret Service", (keychain) => {
  testMigration(keychain);
  describe.each(PAIRS)("without $writer, $reader", (pair) => testWithoutPackage(keychain, pair));
  testLocked(keychain);
});
