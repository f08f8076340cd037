/** Processes that choose at the same moment, half of which see no keychain. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import { describe, expect, it } from "vitest";
import { openKeychainOrFile } from "../../src/file-fallback/keychain-or-file.ts";
import { PlainFile } from "../../src/file-fallback/plain-file.ts";
import type { EitherPlace } from "../fixtures/open-keychain-or-file.ts";
import { newGate } from "../support/memory-keychain.ts";
import { Place } from "../support/sandbox.ts";

const PROCESSES = 8;
const ROUNDS = 12;
const program = join(import.meta.dirname, "../fixtures/save-on-message.ts");

interface Answer {
  readonly saved?: string;
  readonly refused?: string;
}

async function start(argument: EitherPlace): Promise<ChildProcess> {
  const child = fork(program, [JSON.stringify(argument)], { env: { ...process.env, NODE_OPTIONS: "" } });
  await once(child, "message");
  return child;
}

/** What each of them says in each round; between the rounds `check` looks at the place. */
async function compete(
  prepare: (place: Place) => Promise<unknown>,
  check: (place: Place, answers: Answer[]) => unknown,
) {
  using all = new Place();
  const kinds = Array.from({ length: PROCESSES }, (_, index) => (index % 2 === 0 ? "works" : "no_service"));
  const processes = await Promise.all(kinds.map((keychain) => start({ directory: all.directory, keychain })));
  try {
    for (let round = 1; round <= ROUNDS; round++) {
      const place = new Place(join(all.directory, String(round)));
      await prepare(place);
      const answers = Promise.all(processes.map(async (each) => (await once(each, "message"))[0]));
      for (const each of processes) each.send(String(round));
      await check(place, await answers);
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
      async (place, answers) => {
        for (const { refused } of answers) expect(refused).toBeOneOf(REFUSALS);
        const values = answers.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const held = Object.values(await place.held()).filter((value) => value !== undefined);
        // Who came late has found the first one's, and saved over it.
        expect(held).toEqual([values.at(-1)]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });

  it("that find a session in the file at once move it or stay, all of them, and lose no save", async () => {
    await compete(
      (place) => place.file.save("canary", undefined),
      async (place, answers) => {
        for (const { refused } of answers) expect(refused).toBeOneOf(REFUSALS);
        await place.open().load(); // finishes what is under way
        const values = answers.flatMap(({ saved }) => saved ?? []).sort((a, b) => a.length - b.length);
        const held = Object.values(await place.held()).filter((value) => value !== undefined);
        expect(held).toEqual([values.at(-1) ?? "canary"]);
        expect(new Set(values.map((value) => value.length)).size).toBe(values.length);
      },
    );
  });
});

describe("a first save", () => {
  /** A store for which something happens right after it has looked at the choice for the last time before it saves. */
  function interrupted(place: Place, keychain: EitherPlace["keychain"], happen: () => Promise<unknown>) {
    let looks = 0;
    const read: typeof nodeFileSystem.read = async (path) => {
      const found = await nodeFileSystem.read(path);
      if (path.endsWith(".place") && ++looks === 3) await happen();
      return found;
    };
    return openKeychainOrFile(place.optionsFor(keychain), { fs: { ...nodeFileSystem, read } });
  }

  it("is taken back where all was removed and the other place chosen meanwhile", async () => {
    using place = new Place();
    await place.choose({ place: "keychain" });
    const store = interrupted(place, "works", async () => {
      await place.open().remove();
      await place.open("no_service").save("canary-b", undefined);
    });
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await place.held()).toEqual({ keychain: undefined, file: "canary-b" });
    expect((await store.load())?.value).toBe("canary-b");
  });

  it("in the file is taken back where a session was found in the keychain meanwhile", async () => {
    using place = new Place();
    await place.choose({ place: "file" });
    await place.keychain.save("canary-b", undefined);
    const store = interrupted(place, "no_service", () => place.open().load());
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
    expect(await place.held()).toEqual({ keychain: "canary-b", file: undefined });
  });

  it("in the file stands where that comes after it", async () => {
    using place = new Place();
    await place.choose({ place: "file" });
    await place.keychain.save("canary-b", undefined);
    let isFirst = true;
    const rename: typeof nodeFileSystem.rename = async (from, to) => {
      if (isFirst) {
        isFirst = false;
        await place.open("no_service").save("canary-a", undefined);
      }
      await nodeFileSystem.rename(from, to);
    };
    const store = openKeychainOrFile(place.options, { fs: { ...nodeFileSystem, rename } });
    expect((await store.load())?.value).toBe("canary-a");
    expect(place.choice).toEqual({ place: "file" });
  });
});

describe("the removal of what was moved", () => {
  it("leaves alone what another program saves at that moment", async () => {
    using place = new Place();
    const version = await place.file.save("canary-a", undefined);
    const plain = new PlainFile(place.options.plainTextFile, { fs: nodeFileSystem });
    const load = plain.store.load.bind(plain.store);
    plain.store.load = async () => {
      const found = await load();
      await place.file.save("canary-b", found?.version);
      return found;
    };
    expect(await plain.clean(version)).toBe(false);
    expect((await place.held()).file).toBe("canary-b");
  });
});

describe("remove()", () => {
  it("also removes what somebody moves to the keychain meanwhile", async () => {
    using place = new Place();
    await place.choose({ place: "keychain" });
    await place.file.save("canary", undefined);
    const reached = newGate();
    const resumed = newGate();
    const rename: typeof nodeFileSystem.rename = async (from, to) => {
      reached.open();
      await resumed.opened;
      await nodeFileSystem.rename(from, to);
    };
    const moving = openKeychainOrFile(place.options, { fs: { ...nodeFileSystem, rename } }).load();
    await reached.opened; // it has read what the file has
    let moved: string | undefined;
    const unlink: typeof nodeFileSystem.unlink = async (path) => {
      resumed.open();
      moved ??= (await moving)?.value;
      await nodeFileSystem.unlink(path);
    };
    await openKeychainOrFile(place.options, { fs: { ...nodeFileSystem, unlink } }).remove();
    expect(moved).toBe("canary");
    expect(await place.held()).toEqual({ keychain: undefined, file: undefined });
  });
});
