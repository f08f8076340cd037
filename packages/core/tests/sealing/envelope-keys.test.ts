import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { createTokenManager, type EnvelopeKeysOptions, envelopeKeys, memoryStore, sealed } from "../../src/index.ts";

/** A key management service, with a key that never leaves it. It counts its calls. */
class KeyService {
  readonly #key = crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  calls = { wrap: 0, unwrap: 0 };
  isDown = false;
  readonly wrap = async (dataKey: Uint8Array<ArrayBuffer>) => {
    this.#call("wrap");
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const encrypted = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await this.#key, dataKey);
    return Buffer.concat([iv, new Uint8Array(encrypted)]);
  };
  readonly unwrap = async (wrapped: Uint8Array<ArrayBuffer>) => {
    this.#call("unwrap");
    const [iv, encrypted] = [wrapped.slice(0, 12), wrapped.slice(12)];
    return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, await this.#key, encrypted));
  };
  #call(name: "wrap" | "unwrap"): void {
    this.calls[name]++;
    if (this.isDown) throw new Error("the service is down");
  }
}

const keysOf = ({ wrap, unwrap }: KeyService, options: Partial<EnvelopeKeysOptions> = {}) =>
  envelopeKeys({ wrap, unwrap, ...options });

it("asks the service once for each data key", async () => {
  const service = new KeyService();
  const [keys, others] = [keysOf(service), keysOf(service)];
  const stores = Array.from({ length: 5 }, () => memoryStore());
  await Promise.all(stores.map((store, i) => sealed(store, { keys, name: `user ${i}` }).save(`value ${i}`, undefined)));
  expect(service.calls).toEqual({ wrap: 1, unwrap: 0 });
  const loaded = await Promise.all(stores.map((store, i) => sealed(store, { keys: others, name: `user ${i}` }).load()));
  expect(loaded.map((found) => found?.value)).toEqual(stores.map((_, i) => `value ${i}`));
  expect(service.calls).toEqual({ wrap: 1, unwrap: 1 });
});

it("encrypts with another data key after maxAge", async () => {
  const service = new KeyService();
  let now = 0;
  const keys = keysOf(service, { maxAge: 1_000, clock: { monotonic: () => now } });
  const store = sealed(memoryStore(), { keys, name: "user 1" });
  const first = await store.save("1", undefined);
  now = 999;
  const second = await store.save("2", first);
  expect(service.calls.wrap).toBe(1);
  now = 1_000;
  await store.save("3", second);
  expect(service.calls.wrap).toBe(2);
});

it("reports STORE_UNAVAILABLE while the service is down, and asks again afterwards", async () => {
  const service = new KeyService();
  const inner = memoryStore();
  await using writer = createTokenManager({ store: sealed(inner, { keys: keysOf(service), name: "user 1" }) });
  await writer.signIn({ accessToken: canary("access", 1) });
  service.isDown = true;
  const store = sealed(inner, { keys: keysOf(service), name: "user 1" });
  await using tokens = createTokenManager({ store });
  const unavailable = { code: "STORE_UNAVAILABLE", problem: expect.stringContaining("the key for sealing") };
  await expect(tokens.getAccessToken()).rejects.toMatchObject(unavailable);
  await expect(store.save("value", "1")).rejects.toMatchObject(unavailable);
  service.isDown = false;
  expect(await tokens.getAccessToken()).toBe(canary("access", 1));
  await store.save("value", (await inner.load())?.version);
});

it("does not decrypt with a data key that another service wrapped", async () => {
  const inner = memoryStore();
  await sealed(inner, { keys: keysOf(new KeyService()), name: "n" }).save("value", undefined);
  const store = sealed(inner, { keys: keysOf(new KeyService()), name: "n" });
  await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

it("rejects invalid options", () => {
  const { wrap, unwrap } = new KeyService();
  expect(() => envelopeKeys({ wrap } as never)).toThrow("unwrap: expected a function");
  expect(() => envelopeKeys({ wrap, unwrap, maxAge: 0 })).toThrow("maxAge: expected milliseconds above 0");
});
