/** Concurrent processes that choose a location, half of them without a keychain. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import { describe, expect, it } from "vitest";
import { openKeychainOrFile } from "../../src/file-fallback/keychain-or-file.ts";
import { PlainFile } from "../../src/file-fallback/plain-file.ts";
import type { SandboxArgument } from "../fixtures/open-keychain-or-file.ts";
import { latch } from "../support/memory-keychain.ts";
import { Sandbox } from "../support/sandbox.ts";

const PROCESSES = 8;
const ROUNDS = 12;
const program = join(import.meta.dirname, "../fixtures/save-on-message.ts");

interface SaveReply {
  readonly saved?: string;
  readonly failed?: string;
}

async function startProcess(argument: SandboxArgument): Promise<ChildProcess> {
  const child = fork(program, [JSON.stringify(argument)], { env: { ...process.env, NODE_OPTIONS: "" } });
  await once(child, "message");
  return child;
}

/** Makes all processes save at once, in several rounds, and passes their replies of each round to `check`. */
async function compete(
  prepare: (sandbox: Sandbox) => Promise<unknown>,
  check: (sandbox: Sandbox, replies: SaveReply[]) => unknown,
) {
  using parent = new Sandbox();
  const kinds = Array.from({ length: PROCESSES }, (_, index) => (index % 2 === 0 ? "works" : "no_service"));
  const processes = await Promise.all(kinds.map((keychain) => startProcess({ directory: parent.directory, keychain })));
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const sandbox = new Sandbox(join(parent.directory, String(round)));
      await prepare(sandbox);
      const replies = Promise.all(processes.map(async (each) => (await once(each, "message"))[0]));
      for (const each of processes) each.send(String(round));
      await check(sandbox, await replies);
    }
  } finally {
    for (const each of processes) each.kill("SIGKILL");
  }
}

const ALLOWED_FAILURES = [undefined, "STORE_CONFLICT", "no_service"];

describe(`${PROCESSES} processes, half of them without a keychain`, { timeout: 120_000 }, () => {
  it("agree on one location when all save for the first time at once, and lose no save", async () => {
    await compete(
      async () => undefined,
      async (sandbox, replies) => {
        for (const { failed } of replies) expect(failed).toBeOneOf(ALLOWED_FAILURES);
        const values = replies.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const contents = Object.values(await sandbox.contents()).filter((value) => value !== undefined);
        // Late processes found an earlier session and saved over it.
        expect(contents).toEqual([values.at(-1)]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });

  it("agree on one location when all find a session in the file at once, and lose no save", async () => {
    await compete(
      (sandbox) => sandbox.file.save("canary", undefined),
      async (sandbox, replies) => {
        for (const { failed } of replies) expect(failed).toBeOneOf(ALLOWED_FAILURES);
        await sandbox.open().load(); // finishes a migration
        const values = replies.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const contents = Object.values(await sandbox.contents()).filter((value) => value !== undefined);
        expect(contents).toEqual([values.at(-1) ?? "canary"]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });
});

describe("a first save", () => {
  /** Opens a store that runs `interruption` right after it last reads the location before its save. */
  function openInterrupted(
    sandbox: Sandbox,
    keychain: SandboxArgument["keychain"],
    interruption: () => Promise<unknown>,
  ) {
    let reads = 0;
    const read: typeof nodeFileSystem.read = async (path) => {
      const found = await nodeFileSystem.read(path);
      if (path.endsWith(".place") && ++reads === 3) await interruption();
      return found;
    };
    return openKeychainOrFile(sandbox.optionsFor(keychain), { fs: { ...nodeFileSystem, read } });
  }

  it("is undone if everything is removed and the other location chosen concurrently", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "keychain" });
    const store = openInterrupted(sandbox, "works", async () => {
      await sandbox.open().remove();
      await sandbox.open("no_service").save("canary-b", undefined);
    });
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: "canary-b" });
    expect((await store.load())?.value).toBe("canary-b");
  });

  it("in the file is undone if another process finds a session in the keychain concurrently", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    await sandbox.keychain.save("canary-b", undefined);
    const store = openInterrupted(sandbox, "no_service", () => sandbox.open().load());
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: undefined });
  });

  it("in the file takes effect if it precedes the discovery of a session in the keychain", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    await sandbox.keychain.save("canary-b", undefined);
    let isFirst = true;
    const rename: typeof nodeFileSystem.rename = async (from, to) => {
      if (isFirst) {
        isFirst = false;
        await sandbox.open("no_service").save("canary-a", undefined);
      }
      await nodeFileSystem.rename(from, to);
    };
    const store = openKeychainOrFile(sandbox.options, { fs: { ...nodeFileSystem, rename } });
    expect((await store.load())?.value).toBe("canary-a");
    expect(sandbox.rememberedLocation).toEqual({ place: "file" });
  });
});

describe("the removal of a migrated session", () => {
  it("keeps what another program saves at the same time", async () => {
    using sandbox = new Sandbox();
    const version = await sandbox.file.save("canary-a", undefined);
    const plain = new PlainFile(sandbox.options.plainTextFile, { fs: nodeFileSystem });
    const load = plain.store.load.bind(plain.store);
    plain.store.load = async () => {
      const found = await load();
      await sandbox.file.save("canary-b", found?.version);
      return found;
    };
    expect(await plain.removeMigrated(version)).toBe(false);
    expect((await sandbox.contents()).file).toBe("canary-b");
  });
});

describe("remove()", () => {
  it("also removes a session that another process moves to the keychain concurrently", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "keychain" });
    await sandbox.file.save("canary", undefined);
    const reached = latch();
    const resumed = latch();
    const rename: typeof nodeFileSystem.rename = async (from, to) => {
      reached.open();
      await resumed.opened;
      await nodeFileSystem.rename(from, to);
    };
    const moving = openKeychainOrFile(sandbox.options, { fs: { ...nodeFileSystem, rename } }).load();
    await reached.opened; // the migration has read the session from the file
    let moved: string | undefined;
    const unlink: typeof nodeFileSystem.unlink = async (path) => {
      resumed.open();
      moved ??= (await moving)?.value;
      await nodeFileSystem.unlink(path);
    };
    await openKeychainOrFile(sandbox.options, { fs: { ...nodeFileSystem, unlink } }).remove();
    expect(moved).toBe("canary");
    expect(await sandbox.contents()).toEqual({ keychain: undefined, file: undefined });
  });
});
