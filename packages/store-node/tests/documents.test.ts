import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createTokenManager, type RefreshFunction, type SessionFormat, type TokenManager } from "@unexpired/core";
import { describe, expect, it } from "vitest";
import { openDocumentStore } from "../src/documents/document-store.ts";
import { nodeFileSystem } from "../src/filesystem.ts";
import { fileStore, jsonFormat } from "../src/index.ts";
import { directoryLock } from "../src/lock.ts";
import { freshPath, textOf } from "./support.ts";

type Document = { session?: { access: string; refresh: string; expires: number } } & Record<string, unknown>;

/** A document such as `{ "theme": "dark", "session": { … } }`. */
const format: SessionFormat = {
  key: "session",
  parse(text) {
    const { session } = JSON.parse(text) as Document;
    if (!session) return undefined;
    return { tokens: { accessToken: session.access, refreshToken: session.refresh, expiresAt: session.expires } };
  },
  print(session, found) {
    const { session: before, ...others } = JSON.parse(found ?? "{}") as Document;
    if (!session) return before ? JSON.stringify(others) : found;
    const { accessToken, refreshToken = "", expiresAt = 0 } = session.tokens;
    return JSON.stringify({ ...others, session: { access: accessToken, refresh: refreshToken, expires: expiresAt } });
  },
};

/** A store whose clock only advances when it waits, or through `pass`. */
function open(path: string) {
  let now = Date.now();
  const pass = (milliseconds: number): void => {
    now += milliseconds;
  };
  const fs = { ...nodeFileSystem, now: () => now };
  const store = openDocumentStore(path, {
    fs,
    lock: directoryLock,
    format,
    pause: async (milliseconds) => pass(milliseconds),
    later: () => undefined,
    monotonic: () => now,
  });
  return { store, pass };
}

const HOUR = 3_600_000;

/** Each exchange returns the next number. */
const issuer = (): RefreshFunction & { presented: string[] } => {
  const presented: string[] = [];
  const refresh = async ({ refreshToken = "" }: { refreshToken?: string | undefined }) => {
    presented.push(refreshToken);
    const next = Number(refreshToken.slice(1)) + 1;
    return { access_token: `a${next}`, refresh_token: `r${next}`, token_type: "Bearer", expires_in: 3600 };
  };
  return Object.assign(refresh, { presented });
};

const documentWith = (number: number, left = HOUR): string =>
  JSON.stringify({
    theme: "dark",
    session: { access: `a${number}`, refresh: `r${number}`, expires: Date.now() + left },
  });

const sessionIn = (path: string) => (JSON.parse(textOf(path)) as Document).session;

/** Puts text into the document, as another program does. */
function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const managerOver = (store: ReturnType<typeof open>["store"], refresh = issuer()): TokenManager =>
  createTokenManager({ store, refresh });

describe("a session in another program's document", () => {
  it("is read, refreshed and written back, and everything else in the document stays", async () => {
    const path = freshPath();
    write(path, documentWith(1, -HOUR));
    const refresh = issuer();
    await using tokens = managerOver(open(path).store, refresh);
    expect(await tokens.getAccessToken()).toBe("a2");
    expect(refresh.presented).toEqual(["r1"]);
    expect(JSON.parse(textOf(path))).toMatchObject({ theme: "dark", session: { access: "a2", refresh: "r2" } });
  });

  it("is presented once by two processes", async () => {
    const path = freshPath();
    write(path, documentWith(1, -HOUR));
    const refresh = issuer();
    await using a = managerOver(open(path).store, refresh);
    await using b = managerOver(open(path).store, refresh);
    expect(await Promise.all([a.getAccessToken(), b.getAccessToken()])).toEqual(["a2", "a2"]);
    expect(refresh.presented).toEqual(["r1"]);
  });

  it("is adopted when the other program refreshes it or signs in again", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    const { store } = open(path);
    await using tokens = managerOver(store);
    expect(await tokens.getAccessToken()).toBe("a1");
    write(path, documentWith(7));
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe("a7");
  });

  it("is written again if the other program puts back a spent token", async () => {
    const path = freshPath();
    const old = documentWith(1, -HOUR);
    write(path, old);
    await using tokens = managerOver(open(path).store);
    await tokens.getAccessToken();
    write(path, old);
    expect(await tokens.getAccessToken()).toBe("a2");
    await tokens.hasSession();
    expect(sessionIn(path)?.refresh).toBe("r2");
  });

  it.each([
    ["is emptied", (path: string) => write(path, JSON.stringify({ theme: "dark" }))],
    ["is deleted", (path: string) => rmSync(path)],
  ])("is signed out once the entry %s for a second, over two looks", async (_how, end) => {
    const path = freshPath();
    write(path, documentWith(1));
    const { store, pass } = open(path);
    await using tokens = managerOver(store);
    await tokens.getAccessToken();
    end(path);
    await tokens.hasSession();
    expect(await tokens.hasSession()).toBe(true);
    pass(1_000);
    expect(await tokens.hasSession()).toBe(false);
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
    expect(existsSync(path) && sessionIn(path)).toBeFalsy();
  });

  it("waits for the second at the first look", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    const refresh = issuer();
    await using before = managerOver(open(path).store, refresh);
    await before.getAccessToken();
    write(path, "{}");
    await using tokens = managerOver(open(path).store, refresh);
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ reason: "signed_out" });
  });

  it("leaves the document when the session is signed out, and a later sign-in of the other program is adopted", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    await using tokens = managerOver(open(path).store);
    await tokens.getAccessToken();
    await tokens.signOut({ revoke: false });
    expect(JSON.parse(textOf(path))).toEqual({ theme: "dark" });
    write(path, documentWith(5));
    expect(await tokens.getAccessToken()).toBe("a5");
  });

  it("is created with its document", async () => {
    const path = freshPath();
    await using tokens = managerOver(open(path).store);
    await tokens.signIn({ accessToken: "a1", refreshToken: "r1", expiresAt: Date.now() + HOUR });
    expect(sessionIn(path)?.access).toBe("a1");
  });

  it("waits for a document that is being written, for two seconds", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    const { store } = open(path);
    await using tokens = managerOver(store);
    await tokens.getAccessToken();
    const torn = documentWith(1).slice(0, 20);
    write(path, torn);
    await expect(open(path).store.load()).rejects.toMatchObject({ code: "STORE_UNREADABLE", location: path });
    expect(readFileSync(path, "utf8")).toBe(torn);
  });

  it("does not bring back an account that a sign-in replaced, if the process died before it wrote the document", async () => {
    const path = freshPath();
    write(path, documentWith(1));
    const { store } = open(path);
    await using tokens = managerOver(store);
    await tokens.getAccessToken();
    const dying = openDocumentStore(path, {
      fs: { ...nodeFileSystem, rename: () => Promise.reject(new Error("killed")) },
      lock: directoryLock,
      format,
    });
    await using killed = managerOver(dying);
    await killed.signIn({ accessToken: "b1", refreshToken: "s1", expiresAt: Date.now() + HOUR });
    await tokens.hasSession();
    expect(sessionIn(path)?.refresh).toBe("s1");
    write(path, documentWith(1)); // now the other program switches back
    await tokens.hasSession();
    expect(await tokens.getAccessToken()).toBe("a1");
  });
});

const entry = (id: string): SessionFormat =>
  jsonFormat({
    at: ["pool", { where: { id } }],
    fields: { accessToken: "access", refreshToken: "refresh", expiresAt: { path: "expires", unit: "iso" } },
  });

const POOL = `// kept by another program
{
  "pool": [
    { "id": "one", "access": "a1", "refresh": "r1", "expires": "2020-01-01T00:00:00.000Z" }, // ours
    { "id": "two", "access": "a10", "refresh": "r10", "expires": "2020-01-01T00:00:00.000Z", },
  ],
  "theme": "dark"
}
`;

it("keeps what another program writes while the document is being replaced", async () => {
  const path = freshPath();
  write(path, documentWith(1, -HOUR));
  let isFirst = true;
  const store = openDocumentStore(path, {
    fs: {
      ...nodeFileSystem,
      async rename(from, to) {
        if (to === path && isFirst) {
          isFirst = false;
          write(path, JSON.stringify({ ...JSON.parse(textOf(path)), theme: "light" }));
        }
        await nodeFileSystem.rename(from, to);
      },
    },
    lock: directoryLock,
    format,
  });
  await using tokens = managerOver(store);
  expect(await tokens.getAccessToken()).toBe("a2");
  await tokens.hasSession();
  expect(JSON.parse(textOf(path))).toMatchObject({ theme: "light", session: { refresh: "r2" } });
});

describe("two sessions in one document", () => {
  it("are refreshed side by side, and every other byte stays", async () => {
    const path = freshPath();
    write(path, POOL);
    const refresh = issuer();
    const [one, two] = ["one", "two"].map((id) =>
      createTokenManager({ store: fileStore({ path, format: entry(id) }), refresh }),
    );
    expect(await Promise.all([one?.getAccessToken(), two?.getAccessToken()])).toEqual(["a2", "a11"]);
    expect(refresh.presented.toSorted()).toEqual(["r1", "r10"]);
    const tokens = [/"a(1|2)", "refresh": "r(1|2)"/, /"a(10|11)", "refresh": "r(10|11)"/];
    const strip = (text: string) =>
      tokens.reduce((rest, token) => rest.replace(token, ""), text).replaceAll(/"20[^"]*Z"/g, "");
    expect(strip(textOf(path))).toBe(strip(POOL));
    expect(textOf(path)).toContain('"a2", "refresh": "r2"');
    expect(textOf(path)).toContain('"a11", "refresh": "r11"');
    await Promise.all([one?.close(), two?.close()]);
  });
});
