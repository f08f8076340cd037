import { describe, expect, it } from "vitest";
import { memoryStore, type TokenStore } from "../../src/index.ts";
import { startSession } from "../support/session.ts";

const HOUR = 3_600_000;

/** A store that holds back its response to the first save, and refuses one of the later ones. */
function holdingStore(refused: number) {
  const store = memoryStore();
  let respond = (): void => undefined;
  const responded = new Promise<void>((resolve) => {
    respond = resolve;
  });
  let saves = 0;
  const save: TokenStore["save"] = async (value, expected) => {
    const number = ++saves;
    if (number === refused) throw new Error("the disk is full");
    const version = await store.save(value, expected);
    if (number === 1) await responded;
    return version;
  };
  const holding: TokenStore = {
    supports: store.supports,
    load: () => store.load(),
    save,
    remove: () => store.remove(),
    describe: () => store.describe(),
  };
  return { store: holding, respond: () => respond() };
}

describe("a sign-in that is stored but has not been told so", () => {
  it.each([
    ["is saved", 0],
    ["could not be saved yet", 3],
  ])("does not replace a rotation of its own session that %s (P2, P3)", async (_name, refused) => {
    const { store, respond } = holdingStore(refused);
    const { clock, issuer, open, record } = startSession({ store });
    const manager = open();
    const signedIn = manager.signIn({ ...issuer.tokens(), expiresAt: clock.now() + HOUR });
    await clock.advance(0);
    const refreshed = await manager.refresh();
    respond();
    await signedIn;
    expect(await manager.getAccessToken()).toBe(refreshed.accessToken);
    await manager.close();
    expect((await record()).tokens?.refreshToken).toBe(refreshed.refreshToken);
    expect(issuer.presented).toHaveLength(1);
  });
});
