import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { documentWith, HOUR, passing, sessionOf, startMirrors } from "./support.ts";

const never = () => new Promise<never>(() => {});

describe("a document that stops responding (P15)", () => {
  it.each(["read", "isCurrent", "setShown", "shown", "primary", "claim", "exclusively"])(
    "in %s does not take the session down",
    async (call) => {
      const { a, b, clock, issuer, open, problems } = startMirrors();
      await using tokens = open();
      await tokens.signIn(sessionOf(1, clock.now() + HOUR));
      const owner = call in a.notes ? a.notes : a;
      if (call === "claim") a.primary = undefined;
      Object.assign(owner, { [call]: never });
      const before = clock.monotonic();
      const { accessToken } = await passing(clock, tokens.refresh());
      expect(accessToken).toBe(canary("access", 101));
      expect(issuer.presented).toEqual([canary("refresh", 1)]);
      expect(b.session?.refresh).toBe(canary("refresh", 101));
      expect(clock.monotonic() - before).toBeLessThan(8_000);
      await clock.advance(30_000);
      await passing(clock, tokens.hasSession());
      if (!["isCurrent", "setShown"].includes(call)) expect(problems()).toEqual(["0 unavailable"]);
    },
  );

  it("is left alone for a while, twice as long after each time", async () => {
    const { a, clock, openStore } = startMirrors();
    const store = openStore();
    await store.save('{"schema":1,"obtainedAt":0,"spent":[]}', undefined);
    let reads = 0;
    a.onRead = () => {
      reads++;
      return never();
    };
    const waits: number[] = []; // in steps of 50 ms
    for (let load = 0; load < 20; load++) {
      const before = clock.monotonic();
      await passing(clock, store.load());
      waits.push(clock.monotonic() - before);
      await clock.advance(1_000);
    }
    expect(reads).toBe(5);
    expect(waits.filter((wait) => wait > 50)).toEqual([2_000, 2_000, 2_000, 2_000, 2_000]);
    a.onRead = () => {};
    await clock.advance(60_000);
    await store.load();
    reads = 0;
    a.onRead = () => {
      reads++;
      return never();
    };
    await passing(clock, store.load());
    await clock.advance(1_000);
    await passing(clock, store.load());
    expect(reads).toBe(2); // again after a second
  });

  it("does not hold up the first load if nothing can be noted about it", async () => {
    const { a, clock, open } = startMirrors(documentWith(1, Date.UTC(2026, 0, 1) + HOUR));
    a.notes.setShown = never;
    await using tokens = open();
    expect(await passing(clock, tokens.getAccessToken())).toBe(canary("access", 1));
  });

  it("is written as soon as it responds again, although a write never ended", async () => {
    const { a, clock, open, problems } = startMirrors();
    await using tokens = open();
    let writes = 0;
    a.onReplace = () => (++writes === 1 ? never() : undefined);
    await passing(clock, tokens.signIn(sessionOf(1, clock.now() + HOUR)));
    await passing(clock, tokens.signIn(sessionOf(2, clock.now() + HOUR)));
    expect(a.text).toBe("{}");
    await clock.advance(20_000);
    expect(a.session?.refresh).toBe(canary("refresh", 2));
    expect(problems()).toEqual(["0 unavailable", "0 recovered"]);
  });

  it("is tried again in the background if it could not be read when it was to be written", async () => {
    const { a, clock, open } = startMirrors();
    await using tokens = open();
    a.onReplace = () => Promise.reject(new Error("locked"));
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    a.onRead = () => Promise.reject(new Error("locked"));
    await clock.advance(1_000);
    a.onRead = () => {};
    a.onReplace = () => {};
    await clock.advance(2_000);
    expect(a.session?.refresh).toBe(canary("refresh", 1));
  });

  it("does not hold up the removal of the store for ever", async () => {
    const { a, clock, open, openStore } = startMirrors();
    await using tokens = open();
    await tokens.signIn(sessionOf(1, clock.now() + HOUR));
    a.onReplace = never;
    await expect(passing(clock, openStore().remove())).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
