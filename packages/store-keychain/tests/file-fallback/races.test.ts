/** Processes that choose at the same moment, half of which see no keychain. */
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
  readonly refused?: string;
}

async function startProcess(argument: SandboxArgument): Promise<ChildProcess> {
  const child = fork(program, [JSON.stringify(argument)], { env: { ...process.env, NODE_OPTIONS: "" } });
  await once(child, "message");
  return child;
}

/** What each of them says in each round; between the rounds `check` looks at the sandbox. */
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

const REFUSALS = [undefined, "STORE_CONFLICT", "no_service"];

describe(`${PROCESSES} processes, half of them without a keychain`, { timeout: 120_000 }, () => {
  it("that save for the first time at once agree on one place, and one of them has saved", async () => {
    await compete(
      async () => undefined,
      async (sandbox, replies) => {
        for (const { refused } of replies) expect(refused).toBeOneOf(REFUSALS);
        const values = replies.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const contents = Object.values(await sandbox.contents()).filter((value) => value !== undefined);
        // Who came late has found the first one's, and saved over it.
        expect(contents).toEqual([values.at(-1)]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });

  it("that find a session in the file at once move it or stay, all of them, and lose no save", async () => {
    await compete(
      (sandbox) => sandbox.file.save("canary", undefined),
      async (sandbox, replies) => {
        for (const { refused } of replies) expect(refused).toBeOneOf(REFUSALS);
        await sandbox.open().load(); // finishes what is under way
        const values = replies.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const contents = Object.values(await sandbox.contents()).filter((value) => value !== undefined);
        expect(contents).toEqual([values.at(-1) ?? "canary"]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });
});

describe("a first save", () => {
  /** A store for which something happens right after it has read the location for the last time before it saves. */
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

  it("is taken back where all was removed and the other place chosen meanwhile", async () => {
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

  it("in the file is taken back where a session was found in the keychain meanwhile", async () => {
    using sandbox = new Sandbox();
    await sandbox.remember({ store: "file" });
    await sandbox.keychain.save("canary-b", undefined);
    const store = openInterrupted(sandbox, "no_service", () => sandbox.open().load());
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await sandbox.contents()).toEqual({ keychain: "canary-b", file: undefined });
  });

  it("in the file stands where that comes after it", async () => {
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

describe("the removal of what was moved", () => {
  it("leaves alone what another program saves at that moment", async () => {
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
  it("also removes what somebody moves to the keychain meanwhile", async () => {
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
    await reached.opened; // it has read what the file has
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
