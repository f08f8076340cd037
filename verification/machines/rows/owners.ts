/** Other users, and directories that belong to them. */
import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { outcome } from "@unexpired-internal/tables/outcome";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import { chainOf } from "./file-rows.ts";

const USER = 12345;
const unable = () => (process.getuid?.() === 0 && process.platform !== "win32" ? undefined : "needs root");
const session = { accessToken: canary("access", "ada"), refreshToken: canary("refresh", "ada") };

export const ownerRows: readonly Row[] = [
  {
    situation: "`sudo` writes the session once; then its user does",
    expected: { happened: "all files belong to the user", saw: "true, then a token" },
    unable,
    async run(scene) {
      const home = dirname(scene.file);
      chmodSync(scene.directory, 0o755);
      chownSync(home, USER, USER);
      const saw = await outcome(scene.open().signIn({ ...scene.issuer.signIn(), expiresAt: 1 }));
      const isTheirs = [scene.file, chainOf(scene)].every((path) => lstatSync(path).uid === USER);
      const member = await scene.member({ uid: USER });
      const then = await member.do("token");
      return {
        saw: `${saw}, then ${then}`,
        happened: isTheirs ? "all files belong to the user" : "some belong to root",
      };
    },
  },
  {
    situation: "the session file belongs to another user and cannot be read",
    expected: { happened: "0 exchanges", saw: /^STORE_U\w+: .*belongs to root.*chown -R/s },
    unable,
    async run(scene) {
      await scene.signIn();
      chmodSync(scene.directory, 0o755);
      chmodSync(dirname(scene.file), 0o755);
      const member = await scene.member({ uid: USER });
      return { saw: await member.do("token"), happened: scene.exchanges };
    },
  },
  {
    situation: "another user plants a chain in a shared directory",
    expected: { happened: "0 exchanges", saw: /^STORE_U\w+: .*belongs to/s },
    unable,
    async run(scene) {
      chmodSync(dirname(scene.file), 0o1777);
      mkdirSync(chainOf(scene));
      chownSync(chainOf(scene), USER, USER);
      return { saw: await outcome(scene.open().signIn(session)), happened: scene.exchanges };
    },
  },
  {
    situation: "another user plants a symbolic link at the session file's path",
    expected: { happened: "0 exchanges", saw: /^STORE_U\w+: .*belongs to/s },
    unable,
    async run(scene) {
      chmodSync(dirname(scene.file), 0o1777);
      const target = join(scene.directory, "target.json");
      writeFileSync(target, "");
      symlinkSync(target, scene.file);
      lchownSync(scene.file, USER, USER);
      return { saw: await outcome(scene.open().signIn(session)), happened: scene.exchanges };
    },
  },
];
