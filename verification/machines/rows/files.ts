/** Session files that something else has changed. */
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { TokenSet } from "@unexpired/core";
import { outcome } from "@unexpired-internal/tables/outcome";
import { canary } from "@unexpired-internal/test-support/canary";
import type { Row } from "../row.ts";
import { sharedString } from "../stores.ts";
import { chainOf, withinFive } from "./file-rows.ts";

const HOUR = 60 * 60_000;
const account = (tokens: TokenSet) => tokens.extra.user as string | undefined;

export const changedFileRows: readonly Row[] = [
  {
    situation: "an old copy of the session file is put back after 33 rotations",
    expected: { happened: "35 exchanges, none presented twice, signed in", saw: "a token" },
    async run(scene) {
      await scene.signIn();
      const tokens = scene.open();
      await tokens.getAccessToken();
      copyFileSync(scene.file, `${scene.file}.backup`);
      for (let rotation = 0; rotation < 33; rotation++) await tokens.refresh();
      await tokens.close();
      copyFileSync(`${scene.file}.backup`, scene.file);
      return { saw: await outcome(scene.open().refresh()), happened: scene.exchanges };
    },
  },
  {
    situation: "an account switcher puts another account's file in place",
    expected: { happened: "stored: ada", saw: /^ada's token$|^SIGN_IN_REQUIRED|^STORE_/ },
    async run(scene) {
      for (const user of ["ada", "bob"]) {
        const tokens = scene.open({ account });
        const session = { accessToken: canary("access", user), refreshToken: canary("refresh", user), extra: { user } };
        await tokens.signIn({ ...session, expiresAt: Date.now() + HOUR });
        await tokens.close();
        copyFileSync(scene.file, `${scene.file}.${user}`);
      }
      copyFileSync(`${scene.file}.ada`, scene.file);
      const saw = scene.open({ account }).getTokenSet();
      const text = await saw.then(
        ({ extra }) => `${extra.user}'s token`,
        () => outcome(saw),
      );
      return { saw: text, happened: `stored: ${(await scene.record()).account}` };
    },
  },
  {
    situation: "a BOM gets into the file while an exchange is in flight; then the file is moved away",
    expected: { happened: "2 exchanges, none presented twice, signed in", saw: "a token; closed: done; next: a token" },
    async run(scene) {
      await scene.signIn();
      const tokens = scene.open();
      scene.issuer.next({ delay: 300 });
      const going = outcome(tokens.getAccessToken());
      await scene.requested(1);
      writeFileSync(scene.file, `\uFEFF${readFileSync(scene.file, "utf8")}`);
      const saw = `${await going}; closed: ${await outcome(tokens.close())}`;
      rmSync(scene.file);
      return { saw: `${saw}; next: ${await outcome(scene.open().refresh())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "garbage gets into the file while an exchange is in flight; the program closes, and signs in again",
    expected: {
      happened: "1 exchange, none presented twice, signed in",
      saw: "a token; closed: done; signed in: true",
    },
    async run(scene) {
      await scene.signIn();
      const tokens = scene.open();
      scene.issuer.next({ delay: 300 });
      const going = outcome(tokens.getAccessToken());
      await scene.requested(1);
      writeFileSync(scene.file, "<<<<<<< HEAD");
      const saw = `${await going}; closed: ${await outcome(tokens.close())}`;
      const signedIn = await outcome(scene.open().signIn({ ...scene.issuer.signIn() }));
      return { saw: `${saw}; signed in: ${signedIn}`, happened: scene.exchanges };
    },
  },
  {
    situation: "a file with a 15-digit name lies in the chain",
    expected: {
      happened: /^[012] exchanges?, none presented twice, signed in/,
      saw: /^(a token|STORE_UNREADABLE.*) within 5 s$/s,
    },
    async run(scene) {
      await scene.signIn();
      writeFileSync(join(chainOf(scene), "999999999999999"), "x");
      const saw = await withinFive(scene.open().getAccessToken());
      return { saw, happened: scene.exchanges };
    },
  },
  {
    situation: "the stored claim has a lease of 1e18 ms, and its holder is not known; an hour passes",
    expected: { happened: "1 exchange", saw: "a token" },
    async run(scene) {
      const { core, testing } = scene.packed;
      const store = sharedString(scene.packed, { canWatch: false }).open();
      const clock = new testing.VirtualClock();
      const session = scene.issuer.signIn();
      let exchanges = 0;
      // An HTTP request would not end before its deadline by this clock.
      const refresh = async () => ({
        access_token: canary("access", ++exchanges),
        refresh_token: canary("refresh", exchanges),
      });
      const tokens = core.createTokenManager({ store, clock, refresh });
      await tokens.signIn({ ...session, expiresAt: 1 });
      const { value = "{}", version } = (await store.load()) ?? {};
      const digest = createHash("sha256").update(String(session.refreshToken)).digest("base64url").slice(0, 16);
      const claim = {
        id: "x",
        digest,
        claimedAt: clock.now(),
        lease: 1e18,
        status: "claimed",
        afterLoss: false,
        failures: 0,
      };
      await store.save(JSON.stringify({ ...JSON.parse(value), attempt: claim }), version);
      const result = outcome(tokens.getAccessToken());
      for (let minute = 0; minute <= 65; minute++) await clock.advance(60_000);
      return {
        saw: await Promise.race([result, wait(3_000, "nothing after an hour")]),
        happened: `${exchanges} exchange`,
      };
    },
  },
  {
    situation: "one 503 says `Retry-After: 86400`; the program calls `refresh()` two seconds later",
    expected: { happened: /^2 exchanges/, saw: /^REFRESH_FAILED.*, then a token$/s },
    async run(scene) {
      await scene.signIn();
      let offset = 0;
      const clock = { now: () => Date.now() + offset, monotonic: () => performance.now() + offset };
      const tokens = scene.open({ clock });
      scene.issuer.next({ status: 503, headers: { "retry-after": "86400" }, body: "<html>maintenance" });
      const first = await outcome(tokens.getAccessToken());
      offset = 2_000;
      return { saw: `${first}, then ${await outcome(tokens.refresh())}`, happened: scene.exchanges };
    },
  },
  {
    situation: "six processes run with the same `--random-seed`, and find an expired token",
    expected: { happened: "1 exchange, none presented twice, signed in", saw: /^a token$/ },
    async run(scene) {
      await scene.signIn();
      const starting = Array.from({ length: 6 }, () => scene.member({ nodeOptions: ["--random-seed=7"] }));
      const members = await Promise.all(starting);
      scene.issuer.next({ delay: 200 });
      const seen = await Promise.all(members.map((member) => member.do("token")));
      return { saw: [...new Set(seen)].join("; "), happened: scene.exchanges };
    },
  },
];
