/** Disks that are full, and directories that cannot be written. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { TokenManager } from "@unexpired/core";
import { outcome } from "@unexpired-internal/tables/outcome";
import { mount, mountHome, isMountingImpossible as unable } from "../mount.ts";
import type { Row } from "../row.ts";

/** Writes until the file system is full. */
function fill(home: string): void {
  for (let size = 64 * 1024; size >= 1; size = Math.floor(size / 2)) {
    try {
      for (let count = 0; count < 64; count++) writeFileSync(join(home, "filler"), "x".repeat(size), { flag: "a" });
    } catch {
      // full at this size
    }
  }
}

/** Returns a function that tells whether a commit has failed since. */
function commitFailure(tokens: TokenManager): () => string {
  let hasFailed = false;
  tokens.subscribe(({ type }) => {
    if (type === "save-failed") hasFailed = true;
  });
  return () => (hasFailed ? "the commit failed" : "the commit did not fail");
}

export const fullDiskRows: readonly Row[] = [
  {
    situation: "the disk is full at the commit, and stays full while the program calls `close()`",
    expected: {
      happened: "1 exchange, none presented twice, signed in; the commit failed",
      saw: /^a token; close\(\): STORE_UNAVAILABLE: .*the refreshed session was not saved/s,
    },
    unable,
    async run(scene) {
      const home = mountHome(scene, "size=256k");
      await scene.signIn();
      const tokens = scene.open({ refresh: scene.refresh(2_000) });
      scene.issuer.next({ delay: 300 });
      const going = outcome(tokens.getAccessToken());
      await scene.requested(1);
      const failed = commitFailure(tokens);
      fill(home);
      const saw = `${await going}; close(): ${await outcome(tokens.close())}`;
      return { saw, happened: `${scene.exchanges}; ${failed()}` };
    },
  },
  {
    situation: "the same, and there is space again a second after `close()` was called; the next process refreshes",
    expected: {
      happened: "2 exchanges, none presented twice, signed in; the commit failed",
      saw: "a token; close(): done; next: a token",
    },
    unable,
    async run(scene) {
      const home = mountHome(scene, "size=256k");
      await scene.signIn();
      const tokens = scene.open();
      scene.issuer.next({ delay: 300 });
      const going = outcome(tokens.getAccessToken());
      await scene.requested(1);
      const failed = commitFailure(tokens);
      fill(home);
      const first = await going;
      const closing = outcome(tokens.close());
      await wait(1_000);
      rmSync(join(home, "filler"));
      const saw = `${first}; close(): ${await closing}; next: ${await (await scene.member()).do("refresh")}`;
      return { saw, happened: `${scene.exchanges}; ${failed()}` };
    },
  },
  {
    situation: "no inodes are left when a session is saved",
    expected: { happened: "0 exchanges", saw: /^STORE_UNAVAILABLE: .*(inode|space|full)/is },
    unable,
    async run(scene) {
      const home = mountHome(scene, "size=1m,nr_inodes=4");
      for (let number = 0; number < 3; number++) {
        try {
          writeFileSync(join(home, `file-${number}`), "");
        } catch {
          break;
        }
      }
      return { saw: await outcome(scene.open().signIn(scene.issuer.signIn())), happened: scene.exchanges };
    },
  },
  {
    situation: "the directory is read-only and the token is in its refresh window; 60 calls in 3 s",
    expected: { happened: /^0 exchanges.*; [1-6] failed renewals$/, saw: /^a token$/ },
    unable,
    async run(scene) {
      const home = mountHome(scene, "size=1m");
      const tokens = scene.open();
      await tokens.signIn({ ...scene.issuer.signIn(), expiresAt: Date.now() + 100_000 });
      await tokens.close();
      mount("-o", "remount,ro", home);
      const file = scene.packed.storeNode.fileStore({ path: scene.file });
      let saves = 0;
      const save = (value: string, expected: string | undefined) => {
        saves++;
        return file.save(value, expected);
      };
      const { supports } = file;
      const rest = { supports, remove: () => file.remove(), describe: () => file.describe() };
      const store = { load: () => file.load(), save, ...rest };
      const reader = scene.open({ store, clock: { now: () => Date.now() + 85_000 } });
      const seen = new Set<string>();
      for (let call = 0; call < 60; call++) {
        seen.add(await outcome(reader.getAccessToken()));
        await wait(50);
      }
      return { saw: [...seen].join("; "), happened: `${scene.exchanges}; ${saves} failed renewals` };
    },
  },
];
