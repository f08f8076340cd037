import { createTokenManager, memoryStore, type StoreEvent, type TokenStore } from "@unexpired/core";
import { type FileStoreOptions, fileStore, jsonFormat, mirroredStore } from "@unexpired/store-node";
import { expect, it } from "vitest";
import { keychainItem, keychainStore } from "../../src/index.ts";
import { fileKeychain } from "../fixtures/file-keychain.ts";
import { freshDirectory } from "../support/fresh-directory.ts";

const HOUR = 3_600_000;
const format = jsonFormat({
  at: ["oauth"],
  fields: { accessToken: "access", refreshToken: "refresh", expiresAt: "expires" },
});
const names = { service: "another program", account: "ada" };

const itemWith = (number: number): string =>
  `{ "theme": "dark", "oauth": { "access": "canary-a${number}", "refresh": "canary-r${number}", "expires": ${Date.now() + HOUR} } }`;

/** A keychain with the item of another program, and the options that name it. */
function keychainWith(text?: string) {
  const directory = freshDirectory();
  const backend = fileKeychain({ directory: `${directory}/keychain` });
  const write = (next: string) => backend.set(names.service, names.account, next);
  const ready = text === undefined ? undefined : write(text);
  const options = { ...names, backend, directory: `${directory}/state`, format };
  return {
    options,
    write,
    ready,
    read: async () => (await backend.get(names.service, names.account)) ?? "",
    directory,
  };
}

type Keychain = ReturnType<typeof keychainWith>;

const open = (primary: TokenStore, { options }: Pick<Keychain, "options">): TokenStore =>
  mirroredStore(primary, [keychainItem(options)]);

it("shows the session in the item, adopts what the other program stores there, and keeps the rest", async () => {
  const keychain = keychainWith(itemWith(1));
  await keychain.ready;
  const store = open(memoryStore(), keychain);
  await using tokens = createTokenManager({ store });
  expect(await tokens.getAccessToken()).toBe("canary-a1");
  await tokens.signIn({ accessToken: "canary-a2", refreshToken: "canary-r2", expiresAt: Date.now() + HOUR });
  const shown = JSON.parse(await keychain.read());
  expect(shown).toMatchObject({ theme: "dark", oauth: { access: "canary-a2", refresh: "canary-r2" } });
  await keychain.write(itemWith(7));
  await tokens.hasSession();
  expect(await tokens.getAccessToken()).toBe("canary-a7");
});

it("remembers for all processes that the item has held the session, so that a missing one is created again", async () => {
  const keychain = keychainWith(itemWith(1));
  await keychain.ready;
  const options: FileStoreOptions = { path: `${keychain.directory}/session.json` };
  await open(fileStore(options), keychain).load();
  await keychain.options.backend.delete(names.service, names.account);
  await open(fileStore(options), keychain).load();
  expect(await keychain.read()).toContain("canary-r1");
});

it.each([
  ["another primary", (keychain: Keychain): TokenStore => open(memoryStore(), keychain)],
  ["a keychainStore with its format", ({ options }: Keychain): TokenStore => keychainStore(options)],
])("refuses an item that shows the session of %s", async (_which, openOther) => {
  const keychain = keychainWith(itemWith(1));
  await keychain.ready;
  await openOther(keychain).load();
  await expect(open(memoryStore(), keychain).load()).rejects.toMatchObject({
    code: "CONFIGURATION",
    message: expect.stringMatching(/^The keychain item "another program" for account "ada" shows the session of /),
  });
});
it("is refused by a keychainStore, which would be a second primary", async () => {
  const keychain = keychainWith(itemWith(1));
  await keychain.ready;
  await open(memoryStore(), keychain).load();
  const store = keychainStore(keychain.options);
  const refused = { code: "CONFIGURATION", message: expect.stringContaining("shows the session of another store") };
  await expect(store.load()).rejects.toMatchObject(refused);
  await expect(store.save("canary", undefined)).rejects.toMatchObject(refused);
});

it("reports an item that would become too long, and leaves it alone", async () => {
  const keychain = keychainWith(itemWith(1));
  await keychain.ready;
  const backend = { ...keychain.options.backend, limit: 200 };
  const store = open(memoryStore(), { options: { ...keychain.options, backend } });
  const events: StoreEvent[] = [];
  store.subscribe?.((event) => void events.push(event));
  await using tokens = createTokenManager({ store });
  const before = await keychain.read();
  await tokens.signIn({
    accessToken: `canary-${"a".repeat(200)}`,
    refreshToken: "canary-r2",
    expiresAt: Date.now() + HOUR,
  });
  expect(events).toMatchObject([
    { type: "document-failed", message: expect.stringContaining("the keychain permits 200") },
  ]);
  expect(await keychain.read()).toBe(before);
});

it("requires a format", () => {
  expect(() => keychainItem(names as never)).toThrow(/^keychainItem: "format" must be a SessionFormat/);
});
