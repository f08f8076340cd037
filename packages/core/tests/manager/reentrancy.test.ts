import { describe, expect, it, vi } from "vitest";
import { createTokenManager } from "../../src/index.ts";

describe("a listener", () => {
  it("is called once per event, even if listeners subscribe and unsubscribe others", async () => {
    const manager = createTokenManager();
    const removed = vi.fn();
    let calls = 0;
    let stop = () => {};
    let stopRemoved = () => {};
    const subscribeAgain = () => {
      if (++calls > 9) return; // ends the test if nothing else does
      stop();
      stopRemoved();
      stop = manager.subscribe(() => subscribeAgain());
    };
    stop = manager.subscribe(() => subscribeAgain());
    stopRemoved = manager.subscribe(removed);
    await manager.signIn({ accessToken: "a" });
    expect(calls).toBe(1);
    await manager.signOut();
    expect(calls).toBe(2);
    expect(removed).not.toHaveBeenCalled();
  });
});
