/** Items of other programs in a real Secret Service, in each of the shapes in which they are written. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { jsonFormat, rawTokenFormat } from "@unexpired/store-node";
import { startIssuer } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { type BuiltInBackend, keychainStore } from "../../src/index.ts";
import { describeWithRealKeychain, type RealKeychain } from "../support/real-keychain.ts";

const BACKENDS = ["keytar", "@napi-rs/keyring"] as const;
const format = jsonFormat({
  at: ["claudeAiOauth"],
  fields: { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" },
});

interface Session {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
}

/** The item of a program, with more than the session in it. */
const itemWith = ({ accessToken, refreshToken }: Session, expiresAt = 0): string =>
  `{\n\t"claudeAiOauth" : {"accessToken":"${accessToken}","refreshToken":"${refreshToken}","expiresAt":${expiresAt},"plan":"é漢🔑"},\n\t"organization": "o\\u0031"\n}\r\n`;

/** The attributes in which programs write their items. */
const SHAPES = [
  { shape: "keytar", attributes: (service: string, account: string) => ["service", service, "account", account] },
  {
    shape: "@napi-rs/keyring",
    attributes: (service: string, account: string) => ["service", service, "username", account],
  },
  {
    shape: "Python's keyring",
    attributes: (service: string, account: string) => [
      ...["service", service, "username", account],
      ...["application", "Python keyring library"],
    ],
  },
] as const;

describeWithRealKeychain("another program's item in a real Secret Service", (keychain) => {
  describe.each(BACKENDS)("with %s", (backend) => {
    testShapes(keychain, backend);
    testPackages(keychain, backend);
    testOverUnreadable(keychain, backend);
  });
  testWithoutPackage(keychain);
  testNotText(keychain);
  testRemoval(keychain);
});

function testShapes(keychain: RealKeychain, backend: BuiltInBackend): void {
  it.each(SHAPES)("finds an item in the shape of $shape, and updates it in place", async ({ attributes }) => {
    const session = keychain.newSession(backend);
    const { service } = keychain;
    const names = attributes(session.service, session.account);
    await using issuer = await startIssuer();
    const before = itemWith(issuer.signIn());
    service.storeItem(names, before);
    const refresh = oauth2Refresh({ tokenEndpoint: issuer.tokenEndpoint, clientId: "kit" });
    await using tokens = createTokenManager({ store: keychainStore({ ...session, format }), refresh });
    const accessToken = await tokens.getAccessToken();
    const found = service.lookUp(names) ?? "";
    expect(JSON.parse(found).claudeAiOauth).toMatchObject({ accessToken });
    const rest = (text: string) => text.replaceAll(/"(accessToken|refreshToken|expiresAt)":("[^"]*"|\d+)/g, "$1");
    expect(rest(found)).toBe(rest(before));
    // what the program itself writes next is adopted
    service.storeItem(
      names,
      itemWith({ accessToken: "canary-next", refreshToken: "canary-r" }, Date.now() + 3_600_000),
    );
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe("canary-next");
    await tokens.signOut({ revoke: false });
    expect(JSON.parse(service.lookUp(names) ?? "")).toEqual({ claudeAiOauth: { plan: "é漢🔑" }, organization: "o1" });
    expect(service.accountsOf(session.service).filter((each) => each === session.account)).toHaveLength(1);
    expect(service.labelOf(names)).toBe("canary label");
  });
}

function testPackages(keychain: RealKeychain, backend: BuiltInBackend): void {
  it.each(BACKENDS)("shares an item with a program that uses %s", async (writer) => {
    const session = keychain.newSession(backend);
    const program = await keychain.backend(writer);
    const store = keychainStore({ ...session, format });
    await program.set(
      session.service,
      session.account,
      itemWith({ accessToken: "canary-a1", refreshToken: "canary-r1" }),
    );
    const found = await store.load();
    expect(found?.value).toContain("canary-a1");
    await store.save(found?.value.replaceAll(/canary-(a|r)1/g, "canary-$12") ?? "", found?.version);
    expect(await program.get(session.service, session.account)).toBe(
      itemWith({ accessToken: "canary-a2", refreshToken: "canary-r2" }),
    );
    expect(keychain.accountsOf(session)).toEqual([session.account]);
    await store.remove();
    expect(await program.get(session.service, session.account)).toBe(
      '{\n\t"claudeAiOauth" : {"plan":"é漢🔑"},\n\t"organization": "o\\u0031"\n}\r\n',
    );
  });

  it("creates an item that does not exist in the shape of its package", async () => {
    const session = keychain.newSession(backend);
    await using tokens = createTokenManager({ store: keychainStore({ ...session, format }) });
    await tokens.signIn({ accessToken: "canary-a1", expiresAt: Date.now() + 3_600_000 });
    const program = await keychain.backend(backend);
    expect(await program.get(session.service, session.account)).toContain("canary-a1");
    expect(keychain.accountsOf(session)).toEqual([session.account]);
  });
}

function testWithoutPackage(keychain: RealKeychain): void {
  it.each([
    { missing: "keytar", installed: "@napi-rs/keyring" },
    { missing: "@napi-rs/keyring", installed: "keytar" },
  ] as const)("updates an item of $missing in place without that package", async ({ missing, installed }) => {
    const session = keychain.newSession(installed);
    const program = await keychain.backend(missing);
    const old = itemWith({ accessToken: "canary-a1", refreshToken: "canary-r1" });
    await program.set(session.service, session.account, old);
    const child = fork(join(import.meta.dirname, "../fixtures/replace-in-session.ts"), [JSON.stringify(session)], {
      env: { ...process.env, NODE_OPTIONS: "", WITHOUT_PACKAGE: missing },
      execArgv: ["--import", join(import.meta.dirname, "../fixtures/hide-package.mjs")],
    });
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(await program.get(session.service, session.account)).toBe(old.replaceAll("canary-", "replaced-"));
    expect(keychain.accountsOf(session)).toEqual([session.account]);
  });
}

function testNotText(keychain: RealKeychain): void {
  it("reports an item that is not text, and leaves it alone", async () => {
    const session = keychain.newSession("@napi-rs/keyring" as const);
    const names = ["service", session.service, "username", session.account];
    const bytes = Buffer.from([0x7b, 0xff, 0xfe, 0x7d]);
    keychain.service.storeItem(names, bytes);
    const store = keychainStore({ ...session, format });
    await expect(store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", reason: "damaged" });
    await using tokens = createTokenManager({ store });
    await expect(tokens.signIn({ accessToken: "canary-a1" }, { over: "unreadable" })).rejects.toMatchObject({
      message: expect.stringMatching(
        new RegExp(
          `"${session.account}".* is not text in UTF-8.* delete it .*cannot be replaced by { over: "unreadable" }`,
        ),
      ),
    });
    expect(keychain.accountsOf(session)).toEqual([session.account]);
  });
}

function testOverUnreadable(keychain: RealKeychain, backend: BuiltInBackend): void {
  it.each(SHAPES)("keeps a copy of an unreadable item in the shape of $shape", async ({ attributes }) => {
    const session = keychain.newSession(backend);
    const { service } = keychain;
    const names = attributes(session.service, session.account);
    const text = '{"claudeAiOauth":{"accessToken":"canary-acc';
    service.storeItem(names, text);
    await using tokens = createTokenManager({ store: keychainStore({ ...session, format }) });
    await tokens.signIn({ accessToken: "canary-a1", expiresAt: Date.now() + 3_600_000 }, { over: "unreadable" });
    expect(service.lookUp(names)).toContain("canary-a1");
    const own = `Unexpired: ${session.service}`;
    const [copy = "", ...more] = service
      .accountsOf(own)
      .filter((account) => account.startsWith(`${session.account} (unreadable `));
    expect(more).toEqual([]);
    const found = ["account", "username"].map((name) => service.lookUp(["service", own, name, copy]));
    expect(found).toContain(text);
  });
}

function testRemoval(keychain: RealKeychain): void {
  it("deletes one item if a format leaves nothing of it, also if another has the same names and more", async () => {
    const session = keychain.newSession("@napi-rs/keyring" as const);
    const { service } = keychain;
    const names = SHAPES[1].attributes(session.service, session.account);
    service.storeItem(names, "canary-a1");
    service.storeItem([...names, "application", "another program"], "canary-a2"); // in this order: the other would replace it
    expect(keychain.accountsOf(session)).toHaveLength(2);
    await using tokens = createTokenManager({ store: keychainStore({ ...session, format: rawTokenFormat() }) });
    await tokens.signOut({ revoke: false });
    expect(keychain.accountsOf(session)).toEqual([session.account]);
  });
}
