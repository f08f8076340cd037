import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { ConfigurationError, createTokenManager, memoryStore, type TokenStore } from "../../src/index.ts";
import { parseRecord, type SessionRecord, serializeRecord } from "../../src/record/record.ts";
import { isOfAccount, primaryOf, reconcileRecords, withoutPrimary, withPrimary } from "../../src/session-record.ts";
import { jwt } from "../support/jwt.ts";
import { printed } from "../support/leaks.ts";
import { record } from "../support/record.ts";
import { startSession } from "../support/session.ts";

const ID = "primary-1";
const jwtOf = (sub: string) => jwt({ iss: "https://as.example", sub });
const textOf = (changes: Partial<SessionRecord>) => serializeRecord(record(1, changes));

describe("the ID of the store in a record", () => {
  it("is added in a way that can be undone to the letter", () => {
    const value = textOf({});
    const named = withPrimary(value, ID);
    expect(primaryOf(named)).toBe(ID);
    expect(withoutPrimary(named)).toBe(value);
    expect(withPrimary(named, ID)).toBe(named);
  });

  it("replaces that of another store", () => {
    expect(primaryOf(withPrimary(withPrimary(textOf({}), "other"), ID))).toBe(ID);
  });

  it.each(["", "text", "[1]", '{"a":1}'])("is not added to %j, which is not a record", (value) => {
    expect(withPrimary(value, ID)).toBe(value);
    expect(withoutPrimary(value)).toBe(value);
    expect(primaryOf(value)).toBeUndefined();
  });

  it("survives a refresh, a sign-out and sign-ins", async () => {
    const { issuer, open, signIn, store } = startSession();
    const manager = await signIn();
    const stored = await store.load();
    await store.save(withPrimary(stored?.value ?? "", ID), stored?.version);
    const idAfter = async (change: Promise<unknown>) => {
      await change;
      return primaryOf((await store.load())?.value ?? "");
    };
    expect(await idAfter(manager.refresh())).toBe(ID);
    expect(await idAfter(manager.signOut())).toBe(ID);
    expect(await idAfter(open().signIn(issuer.tokens()))).toBe(ID);
    expect(await idAfter(open().signIn({ accessToken: canary("access", "other") }))).toBe(ID);
  });

  it.each([
    ["the same account", "a"],
    ["another account", "b"],
  ])("stays if another program's session of %s is adopted", (_name, account) => {
    const stored = withPrimary(textOf({ account: "a" }), ID);
    const external = withPrimary(serializeRecord(record(2, { account })), "other");
    const merged = reconcileRecords(stored, external);
    expect(parseRecord(merged, "here").tokens?.refreshToken).toBe(canary("refresh", 2));
    expect(primaryOf(merged)).toBe(ID);
  });
});

describe("the account of a session that was found in a document", () => {
  const stored = textOf({ account: "a", tokens: { accessToken: jwtOf("1"), tokenType: "Bearer", extra: {} } });

  it.each([
    ["the tokens tell the same account, although the names differ", { account: "x", accessToken: jwtOf("1") }, true],
    ["the tokens tell another account, although the names agree", { account: "a", accessToken: jwtOf("2") }, false],
    ["only the names are known, and agree", { account: "a", accessToken: "opaque" }, true],
    ["only the names are known, and differ", { account: "x", accessToken: "opaque" }, false],
    ["nothing is known", { account: undefined, accessToken: "opaque" }, true],
  ])("is compared if %s", (_name, { account, accessToken }, expected) => {
    expect(isOfAccount(stored, { tokens: { accessToken }, account })).toBe(expected);
  });

  it("is any if nothing is stored", () => {
    expect(isOfAccount("", { tokens: { accessToken: jwtOf("1") }, account: "x" })).toBe(true);
  });
});

it("passes on that a store is misconfigured, without the tokens that the error contains", async () => {
  const store: TokenStore = memoryStore();
  const manager = createTokenManager({ store });
  await manager.signIn({ accessToken: canary("access", 1) });
  store.load = () => Promise.reject(new ConfigurationError(`Name the same primary, not ${canary("access", 1)}.`));
  const error: unknown = await manager.peek().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "CONFIGURATION", message: "Name the same primary, not [secret]." });
  expect(printed(error)).not.toContain("canary");
});
