import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { markOfTokens } from "../../src/documents/entry.ts";
import { ReplacedDocuments } from "../../src/documents/replaced-documents.ts";
import { type FileSystem, nodeFileSystem } from "../../src/filesystem.ts";
import { jsonFormat } from "../../src/index.ts";
import { chainOf, freshPath, textOf } from "../support.ts";

const format = jsonFormat({
  at: ["auth"],
  fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" },
});
const auth = (number: number, more: object = {}) => ({ access: `a${number}`, refresh: `r${number}`, ...more });
const documentWith = (session: object | undefined, others: object = {}): string =>
  JSON.stringify({ n: 1, ...others, auth: session ?? {} });
const shownWith = ({ access, refresh }: ReturnType<typeof auth>): string =>
  `shown-2.${markOfTokens({ accessToken: access, refreshToken: refresh })}.session`;
/** The text that another program writes into the file that was replaced. */
const WRITTEN = documentWith(auth(1), { theme: "dark" });

interface Options {
  /** The document as it is now, if it was changed after the replacement. */
  readonly found?: string;
  readonly calls?: (path: string) => Partial<FileSystem>;
  /** The names in the chain's directory. */
  readonly names?: readonly string[];
}

/** A document whose session 1 has just been replaced by session 2. Timers run only through `look`. */
async function start({ found, calls = () => ({}), names = [] }: Options = {}) {
  const file = freshPath();
  const chain = join(chainOf(file), "entry");
  mkdirSync(chain, { recursive: true });
  for (const name of names) writeFileSync(join(chain, name), "");
  const [oldText, text] = [documentWith(auth(1)), documentWith(auth(2))];
  writeFileSync(file, found ?? text);
  const events: string[] = [];
  const timers: { readonly run: () => void; readonly delay: number }[] = [];
  const lock = { isBusy: false };
  const replaced = new ReplacedDocuments({
    fs: { ...nodeFileSystem, ...calls(file) },
    lock: async () => (lock.isBusy ? undefined : async () => void events.push("unlocked")),
    format,
    later: (run, delay) => void timers.push({ run, delay }),
    onLost: () => void events.push("lost"),
    onRestored: async () => void events.push("restored"),
  });
  const oldPath = join(chain, replaced.nameOld());
  writeFileSync(oldPath, oldText);
  const before = await nodeFileSystem.stat(oldPath);
  if (!before) throw new Error("The old file is missing");
  replaced.onReplaced({ paths: { file, chain }, oldPath, before, oldText, text });
  /** Runs the next timer. Returns its delay. */
  const look = (): number | undefined => {
    const next = timers.shift();
    next?.run();
    return next?.delay;
  };
  /** Runs the next timer, after which there is to be another one. */
  const lookAndWait = async (): Promise<number | undefined> => {
    const delay = look();
    await expect.poll(() => timers.length, { interval: 1 }).toBe(1);
    return delay;
  };
  const until = (event: string) => expect.poll(() => events, { interval: 1 }).toContain(event);
  const leftovers = () => readdirSync(chain).filter((name) => name.startsWith("replaced-"));
  return { file, oldPath, events, lock, look, lookAndWait, until, leftovers };
}

describe("a file that was replaced, and that a program has still written to", () => {
  it("is put back, and the directory is synced before the lock is released", async () => {
    const steps: string[] = [];
    const { file, oldPath, events, look, until } = await start({
      calls: (path) => ({
        async rename(from, to) {
          await nodeFileSystem.rename(from, to);
          if (to === path) steps.push("renamed");
        },
        async syncDirectory(directory) {
          if (directory === dirname(path)) steps.push(`synced after ${steps.join()}, ${events.length} events`);
        },
      }),
    });
    writeFileSync(oldPath, WRITTEN);
    look();
    await until("restored");
    expect(textOf(file)).toBe(WRITTEN);
    expect(steps).toEqual(["renamed", "synced after renamed, 0 events"]);
    expect(events).toEqual(["unlocked", "restored"]);
  });

  it("is not put back over a version that is renamed into place right before that", async () => {
    const newer = documentWith(auth(2), { n: 5 });
    const { file, oldPath, events, look, until, leftovers } = await start({
      calls: (path) => ({
        async read(target) {
          const found = await nodeFileSystem.read(target);
          if (target !== path) return found;
          writeFileSync(`${path}.new`, newer);
          renameSync(`${path}.new`, path);
          return found;
        },
      }),
    });
    writeFileSync(oldPath, WRITTEN);
    look();
    await until("restored");
    expect([textOf(file), events, leftovers()]).toEqual([newer, ["lost", "unlocked", "restored"], []]);
  });

  it("is looked at once more if the lock is busy at the last look", async () => {
    const { file, oldPath, events, lock, look, lookAndWait, until } = await start();
    for (const delay of [20, 100, 400]) expect(await lookAndWait()).toBe(delay);
    writeFileSync(oldPath, WRITTEN);
    lock.isBusy = true;
    expect(await lookAndWait()).toBe(1_500);
    expect(await lookAndWait()).toBe(20);
    lock.isBusy = false;
    expect(look()).toBe(20);
    await until("restored");
    expect([textOf(file), events]).toEqual([WRITTEN, ["unlocked", "restored"]]);
  });

  it.each([
    ["shows our tokens with another expiry, which is not remembered", documentWith(auth(2, { expires: 5 })), []],
    ["shows another session that is remembered as ours", documentWith(auth(3)), [shownWith(auth(3))]],
    ["shows no session since a sign-out that is remembered", documentWith(undefined), []],
  ])("is put back if the document %s", async (_what, found, names) => {
    const { file, oldPath, events, look, until } = await start({ found, names });
    writeFileSync(oldPath, WRITTEN);
    look();
    await until("restored");
    expect([textOf(file), events]).toEqual([WRITTEN, ["unlocked", "restored"]]);
  });

  it.each([
    ["shows a session that is not ours", documentWith(auth(3)), []],
    ["shows no session, although ours is remembered", documentWith(undefined), [shownWith(auth(2))]],
    ["was changed elsewhere", documentWith(auth(2), { n: 5 }), [shownWith(auth(2))]],
  ])("is lost if the document %s", async (_what, found, names) => {
    const { file, oldPath, events, look, until } = await start({ found, names });
    writeFileSync(oldPath, WRITTEN);
    look();
    await until("restored");
    expect([textOf(file), events]).toEqual([found, ["lost", "unlocked", "restored"]]);
  });
});
