import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { memoryStore, StoreError } from "../../src/index.ts";
import { disk } from "../support/interference.ts";
import { printed } from "../support/leaks.ts";
import { startSession, typesOf } from "../support/session.ts";

describe("a store that fails", () => {
  it("is not mistaken for an empty one if its contents are unreadable", async () => {
    const { open, store } = startSession();
    await store.save("not json", undefined);
    await expect(open().getAccessToken()).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      location: store.describe(),
    });
    await expect(open().signIn({ accessToken: canary("access", 1) })).rejects.toBeInstanceOf(StoreError);
    expect((await store.load())?.value).toBe("not json");
  });

  it("has its session renewed and its failures reported even if its describe throws", async () => {
    const { open, store } = startSession();
    const tokens = open();
    await tokens.signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt: 1 });
    store.describe = () => {
      throw new Error("no name");
    };
    expect(await tokens.getAccessToken()).toContain(canary("access", 2));
    await store.save("not json", (await store.load())?.version);
    await expect(open().getAccessToken()).rejects.toMatchObject({
      code: "STORE_UNREADABLE",
      location: "a store whose describe() throws",
    });
  });

  it("is reported as unavailable if load throws", async () => {
    const { open, store } = startSession();
    store.load = () => {
      throw new Error("down");
    };
    await expect(open().getAccessToken()).rejects.toMatchObject({
      code: "STORE_UNAVAILABLE",
      location: store.describe(),
    });
  });

  it("is reported without the tokens that its error contains (P8)", async () => {
    const { open, store } = startSession();
    store.save = async (value) => {
      const details = { location: "The vault", problem: `has no room for ${value}`, hint: `Drop ${value}.` };
      throw new StoreError("STORE_UNAVAILABLE", { ...details, cause: new Error(value) });
    };
    const tokens = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1) };
    const error: unknown = await open()
      .signIn(tokens)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: "The vault" });
    expect(printed(error)).not.toContain("canary");
  });

  it("is reported with the codes and numbers that its author added to the error, and nothing else", async () => {
    const { open, store } = startSession();
    const details = { location: "The vault", problem: "is locked", hint: "Open it." };
    const kept = { reason: "no_service", errno: -13, isTemporary: true };
    const dropped = {
      path: canary("access", 1),
      token: "abcdefgh",
      record: { secret: canary("access", 2) },
      toString: 1,
    };
    store.save = async () => {
      throw Object.assign(new StoreError("STORE_UNREADABLE", details), kept, dropped, { name: "VaultError" });
    };
    const error: unknown = await open()
      .signIn({ accessToken: "abcdefgh" })
      .catch((thrown: unknown) => thrown);
    expect({ ...(error as object) }).toEqual({ ...new StoreError("STORE_UNREADABLE", details), ...kept });
    expect(String(error)).toBe("StoreError: The vault is locked. Open it.");
  });

  it("is reported without the tokens of the previous session (P8)", async () => {
    const { signIn, store } = startSession();
    const manager = await signIn();
    await manager.refresh();
    store.load = () => Promise.reject(new Error(`cannot replace ${canary("refresh", 1)} by ${canary("refresh", 2)}`));
    const error: unknown = await manager.hasSession().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(printed(error)).not.toContain("canary");
  });

  it("is used without notifications if watch throws", async () => {
    const { open } = startSession({
      store: {
        ...memoryStore(),
        watch() {
          throw new Error("ENOENT watch");
        },
      },
    });
    const manager = open();
    await manager.signIn({ accessToken: "a" });
    expect(await manager.getAccessToken()).toBe("a");
  });

  it("is given up on if it is too slow to store a claim (P15)", async () => {
    const { clock, signIn, store, open } = startSession();
    await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      saves++;
      await new Promise<void>((resolve) => clock.setTimer(resolve, 5_000, true));
      return save(value, expected);
    };
    let isSettled = false;
    open()
      .getAccessToken()
      .then(
        () => (isSettled = true),
        () => (isSettled = true),
      );
    await clock.advance(10 * 60_000);
    expect(isSettled, `saves: ${saves}`).toBe(true);
  });

  it("is no longer written to once no caller waits (P12)", async () => {
    const { clock, signIn, store, open } = startSession();
    await signIn(0);
    const { save } = store;
    let saves = 0;
    store.save = async (value, expected) => {
      saves++;
      await new Promise<void>((resolve) => clock.setTimer(resolve, 5_000, true));
      return save(value, expected);
    };
    const controller = new AbortController();
    open()
      .getAccessToken({ signal: controller.signal })
      .catch(() => {});
    await clock.advance(60_000);
    controller.abort();
    const before = saves;
    await clock.advance(600_000);
    expect({ before, after: saves, alive: clock.keepingAlive }).toMatchObject({ after: before });
  });

  it("is tried again after 1 s, then after 2 s and so on, while the token is usable", async () => {
    const { clock, events, signIn, store } = startSession();
    const manager = await signIn();
    await clock.advance(56 * 60_000);
    const failures = () => typesOf(events).filter((type) => type === "refresh-failed").length;
    const { save } = store;
    store.save = async () => Promise.reject(disk);
    for (let time = 0; time < 5_000; time += 50) {
      expect(await manager.getAccessToken()).toBe(canary("access", 1));
      await clock.advance(50);
    }
    expect(failures()).toBe(3); // at once, and after 1 s and 3 s
    await expect(manager.refresh()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(failures()).toBe(4);
    store.save = save;
    expect((await manager.refresh()).accessToken).toBe(canary("access", 2));
    store.save = async () => Promise.reject(disk);
    await clock.advance(56 * 60_000);
    await manager.getAccessToken();
    await clock.advance(1_000);
    await manager.getAccessToken();
    await clock.advance(0);
    expect(failures()).toBe(6); // after a success, the first pause is 1 s again
  });
});
