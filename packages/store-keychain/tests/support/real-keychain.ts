/** The tests that each package has to pass with a real Secret Service. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { describeTokenStore, fork, type StoreFixture, startIssuer } from "@unexpired/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackendLoader } from "../../src/backends/load.ts";
import { type BuiltInBackend, type KeychainBackend, keychainStore } from "../../src/index.ts";
import { storeModule } from "./file-keychain-store.ts";
import { keytarSkipReason, SecretServiceDaemon, secretServiceSkipReason } from "./secret-service-daemon.ts";

const PROCESSES = 8;
const HOUR = 3_600_000;
const SERVICE = "unexpired tests";

/** The options of a separate session. */
export interface SessionOptions<Backend = BuiltInBackend> {
  readonly service: string;
  readonly account: string;
  readonly directory: string;
  readonly backend: Backend;
}

/** A Secret Service for the tests of one file, and access to its items. */
export class RealKeychain {
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-keychain-"));
  readonly #load = createBackendLoader({ timeout: 3_000 });
  #service: SecretServiceDaemon | undefined;

  async start(): Promise<void> {
    this.#service = await SecretServiceDaemon.start();
    process.env.DBUS_SESSION_BUS_ADDRESS = this.service.address;
  }

  async stop(): Promise<void> {
    await this.#service?.[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true });
  }

  get service(): SecretServiceDaemon {
    if (!this.#service) throw new Error("The Secret Service has not been started");
    return this.#service;
  }

  newSession<Backend>(backend: Backend): SessionOptions<Backend> {
    return { service: SERVICE, account: randomUUID(), directory: this.directory, backend };
  }

  backend(name: BuiltInBackend): Promise<KeychainBackend> {
    return this.#load(name, "write");
  }

  /** Returns all accounts that have items of this session, from both packages. */
  accountsOf({ account }: { readonly account: string }): readonly string[] {
    return this.service.accountsOf(SERVICE).filter((each) => each.startsWith(account));
  }

  /** Returns the secrets of a session's items that are visible to one package. */
  async secretsOf(session: { readonly account: string }, name: BuiltInBackend): Promise<readonly string[]> {
    const backend = await this.backend(name);
    const secrets = await Promise.all(this.accountsOf(session).map((account) => backend.get(SERVICE, account)));
    return secrets.filter((secret) => typeof secret === "string");
  }
}

/** Defines tests that share one keychain, or a single skipped test that states the reason. */
export function describeWithRealKeychain(name: string, define: (keychain: RealKeychain) => void): void {
  describe(name, () => {
    const skipReason = secretServiceSkipReason() ?? keytarSkipReason();
    if (skipReason !== undefined) return it("runs with a Secret Service", (ctx) => ctx.skip(skipReason));
    const keychain = new RealKeychain();
    beforeAll(() => keychain.start());
    afterAll(() => keychain.stop());
    define(keychain);
  });
}

function realKeychainFixture(keychain: RealKeychain, name: BuiltInBackend): StoreFixture {
  const session = keychain.newSession(name);
  const each = async (change: (backend: KeychainBackend, account: string) => Promise<unknown>) => {
    const backend = await keychain.backend(name);
    for (const account of keychain.accountsOf(session)) await change(backend, account);
  };
  return {
    open: () => keychainStore(session),
    openNeighbor: () => keychainStore({ ...session, account: `${session.account} 2` }),
    childProcess: { module: storeModule, argument: session },
    damage: () => each((backend, account) => backend.set(session.service, account, "damaged")),
    wipe: () => each((backend, account) => backend.delete(session.service, account)),
  };
}

/** Defines the contract tests and the session tests for one of the packages. */
export function describeRealBackend(name: BuiltInBackend): void {
  describeWithRealKeychain(`a real Secret Service with ${name}`, (keychain) => {
    describeTokenStore({ describe, it }, { create: () => realKeychainFixture(keychain, name) });
    testSingleExchange(keychain, name);
    testLargeSession(keychain, name);
    testAdoption(keychain, name);
    testRestart(keychain, name);
  });
}

function testSingleExchange(keychain: RealKeychain, name: BuiltInBackend): void {
  it(`makes one exchange if ${PROCESSES} processes find an expired session`, async () => {
    const argument = keychain.newSession(name);
    await using issuer = await startIssuer({ latency: 20 });
    await using tokens = createTokenManager({ store: keychainStore(argument) });
    await tokens.signIn(issuer.signIn());
    await using started = new AsyncDisposableStack();
    const task = { do: "session", tokenEndpoint: issuer.tokenEndpoint } as const;
    const processes = Array.from({ length: PROCESSES }, () =>
      started.use(fork({ module: storeModule, argument }, task)),
    );
    for (const each of processes) await each.next();
    for (const each of processes) each.send(2 * HOUR);
    const results = await Promise.all(processes.map((each) => each.next()));
    expect(new Set(results.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(issuer).toMatchObject({ exchanges: 1, revoked: 0 });
  });
}

function testLargeSession(keychain: RealKeychain, name: BuiltInBackend): void {
  it("stores a session of 64 kB in one item, and deletes it with remove()", async () => {
    const session = keychain.newSession(name);
    const value = "0123456789abcdef".repeat(4096);
    const store = keychainStore(session);
    const version = await store.save("smaller", undefined);
    await store.save(value, version);
    const again = await keychainStore(session).load();
    expect(again?.value === value).toBe(true);
    const secrets = await keychain.secretsOf(session, name);
    expect(secrets.filter((secret) => secret === JSON.stringify(value))).toHaveLength(1);
    expect(secrets.length).toBeLessThanOrEqual(2);
    await store.remove();
    expect(keychain.accountsOf(session)).toEqual([]);
  });
}

function testAdoption(keychain: RealKeychain, name: BuiltInBackend): void {
  it("adopts an item of another program, and deletes the original", async () => {
    const { backend: _, ...session } = keychain.newSession(name);
    const backend = await keychain.backend(name);
    await backend.set(session.service, session.account, "from before");
    const store = keychainStore(session); // without the `backend` option
    const found = await store.load();
    expect(found?.value).toBe("from before");
    await store.save("ours", found?.version);
    // It stays with the package that wrote the item.
    expect(await keychain.secretsOf(session, name)).toEqual(['"ours"']);
    expect(keychain.accountsOf(session)).toHaveLength(1);
  });
}

function testRestart(keychain: RealKeychain, name: BuiltInBackend): void {
  it("continues after a restart of the Secret Service, or with keytar asks to restart the program", async () => {
    const session = keychain.newSession(name);
    const store = keychainStore(session);
    const version = await store.save("before", undefined);
    await keychain.service.restart();
    if (name === "keytar") {
      const restartError = { reason: "refused", message: expect.stringContaining("Restart this program") };
      await expect(store.load()).rejects.toMatchObject(restartError);
      await expect(store.save("after", version)).rejects.toMatchObject(restartError);
    } else {
      expect(await store.load()).toEqual({ value: "before", version });
      const after = await store.save("after", version);
      expect(await store.load()).toEqual({ value: "after", version: after });
    }
  });
}
