import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createTokenManager, type SessionFormat, StoreError } from "@unexpired/core";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";
import { NO_MARKS, printEntry, readEntry } from "../../src/documents/entry.ts";
import type { Generation } from "../../src/generations.ts";
import { jsonFormat, rawTokenFormat } from "../../src/index.ts";
import { failure, textOf } from "../support.ts";
import { documentWith, format, open, recordOf } from "./support.ts";

const generationOf = (value: string): Generation => ({
  number: 1,
  id: "0",
  value,
  ancestors: [],
  stamp: { fileId: "1", modified: 1n, size: 1n },
});

const statusOf = (used: SessionFormat, text: string, value: string) =>
  readEntry(used, text, { head: generationOf(value), marks: NO_MARKS, now: Date.now() }).status.kind;

describe("the account of a session", () => {
  const withAccount = jsonFormat({
    at: ["auth"],
    fields: { accessToken: "access", refreshToken: "refresh", account: "account" },
  });
  const known = JSON.stringify({ ...JSON.parse(recordOf(1)), account: "ada" });

  it("is not written into a document that tells none", () => {
    expect(statusOf(withAccount, documentWith(1), known)).toBe("current");
    expect(printEntry(withAccount, known, documentWith(2))).toBe(documentWith(1));
  });

  it("is written into a document that tells one, and into a new one", () => {
    const auth = { access: canary("access", 2), refresh: canary("refresh", 2), account: "ada" };
    expect(printEntry(withAccount, known, JSON.stringify({ auth }))).toContain('"account":"ada"');
    expect(JSON.parse(printEntry(withAccount, known, undefined) ?? "")).toMatchObject({ auth: { account: "ada" } });
  });
});

describe("a format that fails to print", () => {
  const failing: SessionFormat = {
    ...format,
    print: () => {
      throw new Error(canary("access", 1));
    },
  };

  it("does not delete a document, if it returns no text for a session", () => {
    const forgetful: SessionFormat = { ...format, print: () => undefined };
    expect(() => printEntry(forgetful, recordOf(2), documentWith(1))).toThrow("would delete the document");
    expect(printEntry(forgetful, recordOf(2), undefined)).toBeUndefined();
  });

  it("makes an entry stale", () => {
    expect(statusOf(failing, documentWith(1), recordOf(1))).toBe("stale");
  });

  it("fails no load, and the failure is reported without the document changing", async () => {
    const { path, store } = open({ text: documentWith(1) });
    const before = await store.load();
    const other = open({ path, used: failing });
    expect(await other.store.load()).toEqual(before);
    expect(other.events).toMatchObject([{ type: "document-failed", location: path }]);
    expect(JSON.stringify(other.events)).not.toContain("canary");
    expect(textOf(path)).toBe(documentWith(1));
  });
});

describe("a session that its format cannot hold", () => {
  const withRefreshToken = { accessToken: canary("access", 2), refreshToken: canary("refresh", 2) };

  it.each([withRefreshToken, { refreshToken: canary("refresh", 2) }])(
    "is refused, and what is stored stays: %j",
    async (tokens) => {
      const { path, store, chain } = open({ text: canary("access", 1), used: rawTokenFormat() });
      await using manager = createTokenManager({ store });
      expect(await manager.getAccessToken()).toBe(canary("access", 1));
      const before = readdirSync(chain);
      await expect(manager.signIn(tokens)).rejects.toMatchObject({
        code: "CONFIGURATION",
        message: expect.stringContaining("no room for the session's refresh token"),
      });
      expect([textOf(path), readdirSync(chain)]).toEqual([canary("access", 1), before]);
      expect(await manager.getAccessToken()).toBe(canary("access", 1));
    },
  );

  it.each([
    ["signIn", withRefreshToken],
    ["adopt", withRefreshToken],
    ["adopt", { refreshToken: canary("refresh", 2) }],
  ] as const)("is refused by %s before anything is created: %j", async (call, tokens) => {
    const { path, store, chain } = open({ used: rawTokenFormat() });
    await using manager = createTokenManager({ store });
    await expect(manager[call](tokens)).rejects.toMatchObject({ code: "CONFIGURATION" });
    expect([existsSync(path), existsSync(chain)]).toEqual([false, false]);
  });
});

describe("the error about a document that its format cannot read", () => {
  it.each([
    [`{\n  "auth": { "access": "${canary("access", 1)}", oops }\n}`, /line 2, column \d+/],
    [`{"auth":{"access":{"${canary("access", 1)}":1},"refresh":"${canary("refresh", 1)}"}}`, /auth.*access/],
  ])("names the place, and no value: %s", async (text, place) => {
    const { path, store } = open({ text });
    const error = await failure(store.load());
    expect(error).toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(error.message).toMatch(place);
    expect(error.cause).toBeInstanceOf(StoreError);
    const { problem, hint } = error.cause as StoreError;
    expect(error.message).toContain(problem);
    expect(error.message).not.toContain(hint); // what to do is said once
    expect(error.message).not.toMatch(/\.\.|unchanged.*unchanged/);
    expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toContain("canary");
  });

  it("does not show the error of a format that may contain a part of the document", async () => {
    const parse = (text: string) => JSON.parse(text) as undefined;
    const { store } = open({ text: canary("access", 1), used: { ...format, parse } });
    const error = await failure(store.load());
    expect(error.message).toContain("that its format can read: the format failed with SyntaxError. ");
    expect(`${error.message} ${error.stack} ${error.cause}`).not.toContain("canary");
  });

  it.each<[parse: (text: string) => unknown, string]>([
    [() => Promise.reject(new Error(canary("access", 1))), "the format returned a promise, not a session"],
    [
      () => ({ tokens: {} }),
      "the format returned an invalid session: tokens: both accessToken and refreshToken are undefined",
    ],
    [() => ({ tokens: { accessToken: "a", expiresAt: 1_700_000_000 } }), "expiresAt is in seconds"],
    [
      () => {
        throw Object.assign(new Error(canary("access", 1)), { name: `the ${canary("access", 1)}` });
      },
      "the format failed with an exception. ",
    ],
  ])("says how a format failed: %#", async (parse, problem) => {
    const { store } = open({ text: documentWith(1), used: { ...format, parse: parse as typeof format.parse } });
    const error = await failure(store.load());
    expect(error.message).toContain(problem);
    expect(`${error.message} ${error.stack} ${error.cause}`).not.toContain("canary");
  });

  it("tells where the last session is, and the document is left alone", async () => {
    const { path, store, chain } = open({ text: documentWith(1) });
    await store.load();
    writeFileSync(path, "{");
    const error = await failure(store.load());
    expect(error.message).toContain(chain);
    expect(textOf(path)).toBe("{");
    rmSync(path);
  });
});
