/** Session files at rest that hold no session, or more than this release can read. */
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outcome } from "@unexpired-internal/tables/outcome";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { chainOf, withinFive } from "./file-rows.ts";

/** Stores a session that is alive. */
async function healthy(scene: Scene) {
  await scene.signIn();
  const tokens = scene.open();
  await tokens.getAccessToken();
  await tokens.close();
}

/** Text at rest that is no session, over a healthy chain. */
const DAMAGE: Readonly<Record<string, { readonly text: (file: string) => string | Buffer; readonly reads: RegExp }>> = {
  "a BOM": { text: (file) => `\uFEFF${readFileSync(file, "utf8")}`, reads: /^a token$/ },
  "UTF-16": {
    text: (file) => Buffer.from(`\uFEFF${readFileSync(file, "utf8")}`, "utf16le"),
    reads: /^(a token$|STORE_UNREADABLE)/,
  },
  "white space": { text: () => " \n\n", reads: /^a token$/ },
  "conflict markers": { text: () => "<<<<<<< HEAD\n{}\n=======\n", reads: /^STORE_UNREADABLE/ },
  "JSON that only looks like a session": { text: () => '{"schema":1,"tokens":5}', reads: /^STORE_UNREADABLE/ },
};

const damaged = (name: string): Row => ({
  situation: `${name} at rest, over a healthy chain: read, sign out, sign in`,
  expected: {
    happened: "1 exchange, none presented twice, signed in",
    saw: new RegExp(
      `${DAMAGE[name]?.reads.source.replace("a token$", "a token")}.*; signed out: done; signed in: true$`,
      "s",
    ),
  },
  async run(scene) {
    await healthy(scene);
    const damage = () => writeFileSync(scene.file, DAMAGE[name]?.text(scene.file) ?? "");
    damage();
    const read = await outcome(scene.open().getAccessToken());
    damage();
    const signedOut = await scene
      .open()
      .signOut({ revoke: false })
      .then(
        () => "done",
        (error) => outcome(Promise.reject(error)),
      );
    damage();
    const signedIn = await outcome(scene.open().signIn(scene.issuer.signIn()));
    return { saw: `${read}; signed out: ${signedOut}; signed in: ${signedIn}`, happened: scene.exchanges };
  },
});

export const unreadableRows: readonly Row[] = [
  ...Object.keys(DAMAGE).map(damaged),
  {
    situation: "the file was written by a newer release; read, refresh, sign in, sign out",
    expected: {
      happened: "0 exchanges, none presented twice, signed in; file and chain unchanged",
      saw: /^(STORE_UNREADABLE: .*written by a newer version.*Update this program[^;]*(; )?){4}$/s,
    },
    async run(scene) {
      await scene.signIn();
      const store = scene.packed.storeNode.fileStore({ path: scene.file });
      const { value = "{}", version } = (await store.load()) ?? {};
      await store.save(JSON.stringify({ ...JSON.parse(value), requires: ["of-a-newer-release"] }), version);
      const bytes = () =>
        [scene.file, ...readdirSync(chainOf(scene)).map((name) => join(chainOf(scene), name))]
          .map((file) => readFileSync(file, "hex"))
          .join();
      const before = bytes();
      const tokens = scene.open();
      const calls = [
        () => tokens.getAccessToken(),
        () => tokens.refresh(),
        () => tokens.signIn({ accessToken: canary("access", 1) }),
        () => tokens.signOut(),
      ];
      const saw: string[] = [];
      for (const call of calls) saw.push(await outcome(call()));
      return {
        saw: saw.join("; "),
        happened: `${scene.exchanges}; file and chain ${bytes() === before ? "unchanged" : "changed"}`,
      };
    },
  },
  {
    situation: "256 KiB of zeros and one more character in the session file",
    expected: { happened: "0 exchanges", saw: /^STORE_UNREADABLE.* within 5 s$/s },
    async run(scene) {
      await healthy(scene);
      const sent = scene.issuer.requests.length;
      writeFileSync(scene.file, `${"\0".repeat(256 * 1024)}x`);
      const saw = await withinFive(scene.open().getAccessToken());
      return { saw, happened: `${scene.issuer.requests.length - sent} exchanges` };
    },
  },
  {
    situation: "a session file of 600 MB",
    expected: { happened: "0 exchanges", saw: /^STORE_UNREADABLE: .*MiB.* within 5 s$/s },
    async run(scene) {
      writeFileSync(scene.file, "");
      truncateSync(scene.file, 600 * 1024 * 1024);
      const saw = await withinFive(scene.open().getAccessToken());
      return { saw, happened: scene.exchanges };
    },
  },
  {
    situation: "the chain is gone and a directory lies at the session file's path",
    expected: {
      happened: "0 exchanges",
      saw: /^STORE_(UNREADABLE|UNAVAILABLE): …\/home\/session\.json is a directory/,
    },
    async run(scene) {
      mkdirSync(scene.file);
      return { saw: await outcome(scene.open().getAccessToken()), happened: scene.exchanges };
    },
  },
];
