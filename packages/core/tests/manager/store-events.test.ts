import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { memoryStore, type StoreEvent, type TokenStore } from "../../src/index.ts";
import { startSession } from "../support/session.ts";

const recovered: StoreEvent = { type: "document-recovered", location: "auth.json" };

/** A store that reports the given events whenever it is saved to. */
function reportingStore(...events: StoreEvent[]) {
  const listeners = new Set<(event: StoreEvent) => void>();
  const inner = memoryStore();
  const store: TokenStore = {
    ...inner,
    async save(value, expected) {
      for (const event of events) for (const listener of listeners) listener(event);
      return inner.save(value, expected);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return { store, listeners };
}

describe("events of a store", () => {
  it("are emitted by the manager from its first use of the store on", async () => {
    const { store } = reportingStore(recovered);
    const { events, open } = startSession({ store });
    await open().signIn({ accessToken: canary("access", 1) });
    expect(events[0]).toEqual(recovered);
  });

  it("are emitted without the tokens that they contain (P8)", async () => {
    const details = { location: "auth.json", reason: "unavailable" } as const;
    const { store } = reportingStore({ type: "document-failed", ...details, message: `kept ${canary("access", 1)}` });
    const { events, open } = startSession({ store });
    await open().signIn({ accessToken: canary("access", 1) });
    expect(events).toContainEqual({ type: "document-failed", ...details, message: "kept [secret]" });
  });

  it("are no longer listened to after close", async () => {
    const { store, listeners } = reportingStore();
    const manager = startSession({ store }).open();
    await manager.hasSession();
    expect(listeners.size).toBe(1);
    await manager.close();
    expect(listeners.size).toBe(0);
  });

  it("do not matter if the store cannot be subscribed to", async () => {
    const store: TokenStore = {
      ...memoryStore(),
      subscribe: () => {
        throw new Error("no");
      },
    };
    const manager = startSession({ store }).open();
    expect(await manager.signIn({ accessToken: canary("access", 1) })).toBe(true);
    await manager.close();
  });
});
