/** A real Secret Service, with both backends. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { type Backing, describeTokenStore, fork, runCase, startIssuer, storeCases } from "@unexpired/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { load } from "../src/backends/load.ts";
import { type KeychainBackend, keychainStore } from "../src/index.ts";
import { BUILT_IN } from "../src/vaults.ts";
import type { Place } from "./fixtures/open-store.ts";
import { reasonAgainstKeytar, reasonAgainstSecretService, SecretService } from "./secret-service.ts";
import { module } from "./support.ts";

const PROCESSES = 8;
const HOUR = 3_600_000;
const state = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
const placeFor = (backend: (typeof BUILT_IN)[number]): Place & { backend: (typeof BUILT_IN)[number] } => ({
  service: "unexpired tests",
  account: randomUUID(),
  directory: state,
  backend,
});
let service: SecretService | undefined;
const backends = new Map<string, KeychainBackend>();
const backendOf = (name: string) => backends.get(name) as KeychainBackend;

/** All accounts that have items of this session. */
const accountsOf = (place: Pick<Place, "service" | "account">): string[] =>
  (service?.accountsOf(place.service) ?? []).filter((account) => account.startsWith(place.account));

function backing(name: (typeof BUILT_IN)[number]): Backing {
  const place = placeFor(name);
  const each = async (change: (account: string) => Promise<unknown>) => {
    for (const account of accountsOf(place)) await change(account);
  };
  return {
    open: () => keychainStore(place),
    elsewhere: { module, argument: place },
    damage: () => each((account) => backendOf(name).set(place.service, account, "damaged")),
    wipe: () => each((account) => backendOf(name).delete(place.service, account)),
  };
}

function contract(name: (typeof BUILT_IN)[number]): void {
  const harness = { create: () => backing(name) };
  // 800 contended saves of @napi-rs/keyring make gnome-keyring 42 die where calls overlap, and take minutes where they do
  // not: that case is missing here, and said to be.
  if (name === "keytar") describeTokenStore({ describe, it }, harness);
  else {
    for (const each of storeCases) {
      it(each.name, { timeout: 120_000 }, async (ctx) => {
        if (each.name.includes("increments")) ctx.skip("not applicable: gnome-keyring dies of 800 contended saves");
        const reason = await runCase(each, harness);
        if (reason !== undefined) ctx.skip(reason);
      });
    }
  }

  it(`makes one exchange for ${PROCESSES} processes on an expired session`, async () => {
    const argument = placeFor(name);
    await using issuer = await startIssuer({ latency: 20 });
    await using tokens = createTokenManager({ store: keychainStore(argument) });
    await tokens.signIn(issuer.signIn());
    await using started = new AsyncDisposableStack();
    const task = { do: "session", tokenEndpoint: issuer.tokenEndpoint } as const;
    const processes = Array.from({ length: PROCESSES }, () => started.use(fork({ module, argument }, task)));
    for (const each of processes) await each.next();
    for (const each of processes) each.send(2 * HOUR);
    const given = await Promise.all(processes.map((each) => each.next()));
    expect(new Set(given.map((each) => JSON.stringify(each))).size, String(given)).toBe(1);
    expect(issuer).toMatchObject({ exchanges: 1, revoked: 0 });
  });

  it("keeps one item for a session of 64 kB beside one that is emptied, and none when it is removed", async () => {
    const place = placeFor(name);
    const store = keychainStore(place);
    const value = "0123456789abcdef".repeat(4096);
    const version = await store.save("smaller", undefined);
    await store.save(value, version);
    expect((await keychainStore(place).load())?.value).toBe(value);
    const secrets = await Promise.all(accountsOf(place).map((account) => backendOf(name).get(place.service, account)));
    expect(secrets.filter((secret) => secret !== "-")).toEqual([JSON.stringify(value)]);
    expect(secrets).toHaveLength(2);
    await store.remove();
    expect(accountsOf(place)).toEqual([]);
  });

  it("takes over what a program without this package has written, and leaves no copy of it", async () => {
    const { backend, ...place } = placeFor(name);
    await backendOf(name).set(place.service, place.account, "from before");
    const store = keychainStore(place); // names no backend
    const found = await store.load();
    expect(found?.value).toBe("from before");
    await store.save("ours", found?.version);
    expect(await backendOf(name).get(place.service, place.account)).toBeNull();
    const accounts = accountsOf(place);
    expect(accounts).toHaveLength(1);
    // It stays where it was.
    expect(await backendOf(name).get(place.service, accounts[0] ?? "")).toContain("ours");
  });
}

function migration(): void {
  it.each([
    ["keytar", "@napi-rs/keyring"],
    ["@napi-rs/keyring", "keytar"],
  ] as const)("reads what %s keeps with %s, and moves it only when told to", async (from, to) => {
    const { backend, ...place } = placeFor(from);
    const version = await keychainStore({ ...place, backend }).save("value", undefined);
    const reader = keychainStore({ ...place, backend: to });
    expect(await reader.load()).toEqual({ value: "value", version });
    const unmoved = await keychainStore(place).save("again", version);
    const kept = await Promise.all(accountsOf(place).map((account) => backendOf(from).get(place.service, account)));
    expect(kept.sort()).toEqual(['"again"', "-"]);
    await reader.save("moved", unmoved);
    const held = (name: string) =>
      Promise.all(accountsOf(place).map((account) => backendOf(name).get(place.service, account)));
    expect((await held(to)).filter((secret) => secret !== null)).toEqual(['"moved"']);
    expect((await held(from)).filter((secret) => secret !== null)).toEqual(["-"]);
  });
}

describe("a real Secret Service", () => {
  const reason = reasonAgainstSecretService() ?? reasonAgainstKeytar();
  if (reason !== undefined) return it("keeps the store contract", (ctx) => ctx.skip(reason));
  beforeAll(async () => {
    service = await SecretService.start();
    service.useMemory();
    process.env.DBUS_SESSION_BUS_ADDRESS = service.address;
    for (const name of BUILT_IN) backends.set(name, await load({ deadline: 3_000, directory: state })(name));
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
    rmSync(state, { recursive: true });
  });
  migration();
  describe.each(BUILT_IN)("with %s", contract);
});
