/**
 * Tests processes of different releases that share one session: each kept release beside the current packages, which are
 * the sources or, with `UNEXPIRED_EXHAUSTIVE=1`, the packed tarballs.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileStore } from "@unexpired/store-node";
import { type Issuer, startIssuer } from "@unexpired/testing";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from "vitest";
import { installKept, installPacked, keptReleases, ReleaseProcess } from "./support/releases.ts";

type Json = Readonly<Record<string, unknown>>;

let installed: string;
let current: string;
const folders = new Map<string, string>();

beforeAll(() => {
  installed = mkdtempSync(join(tmpdir(), "unexpired-releases-"));
  for (const release of keptReleases) folders.set(release, installKept(release, join(installed, release)));
  const isPacked = process.env.UNEXPIRED_EXHAUSTIVE === "1";
  current = isPacked ? installPacked(inject("tarballs"), join(installed, "current")) : import.meta.dirname;
  return () => rmSync(installed, { recursive: true });
});

/** How to wait for another process. */
const WAIT = { timeout: 20_000, interval: 5 };

let directory: string;
let path: string;
let issuer: Issuer;
const processes: ReleaseProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "unexpired-shared-"));
  path = join(directory, "session.json");
  issuer = await startIssuer({ prefix: CANARY });
});

afterEach(async () => {
  for (const each of processes.splice(0)) each.kill();
  await issuer[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** Starts a process that uses the packages in `folder`. */
async function start(folder: string): Promise<ReleaseProcess> {
  const started = await ReleaseProcess.start(folder, { path, tokenEndpoint: issuer.tokenEndpoint });
  processes.push(started);
  return started;
}

async function stored(): Promise<Json> {
  return JSON.parse((await fileStore({ path }).load())?.value ?? "{}");
}

/** Saves a record with what a newer release adds. */
async function save(record: Json): Promise<void> {
  const store = fileStore({ path });
  await store.save(JSON.stringify(record), (await store.load())?.version);
}

const EXPIRED = { schema: 1, rotation: 4, obtainedAt: 1, spent: [], seeds: [] };

/** A record as a newer release writes it: a session whose access token has expired, and members that no release knows. */
function newerRecord(): Json {
  const tokens = { ...issuer.signIn(), tokenType: "Bearer", extra: {}, expiresAt: 2, later: "tokens" };
  return { ...EXPIRED, session: "a session", tokens, later: { deep: ["record"] } };
}

/** The contents of the session file and its chain. */
function bytes(): string[] {
  const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).sort();
  return files
    .map((name) => join(directory, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => `${file} ${readFileSync(file, "hex")}`);
}

describe.each(keptReleases)("release %s beside the current packages", (release) => {
  const startBoth = async (): Promise<[old: ReleaseProcess, now: ReleaseProcess]> => [
    await start(folders.get(release) ?? ""),
    await start(current),
  ];

  it("refreshes in turn with them, once for each expiry", async () => {
    await save(newerRecord());
    const both = await startBoth();
    for (let expiry = 1; expiry <= 6; expiry++) {
      const [first, second] = expiry % 2 === 0 ? both : both.toReversed();
      for (const each of both) await each.do("later");
      const renewed = await first?.do("token");
      expect(renewed).toEqual({ value: expect.stringContaining("access") });
      expect(await second?.do("token")).toEqual(renewed);
      expect(issuer).toMatchObject({ exchanges: expiry, revoked: 0 });
    }
    expect(issuer.requests).toHaveLength(6);
  });

  it("makes one exchange if both find an expired token at the same time", async () => {
    await save(newerRecord());
    issuer.next({ delay: 200 }); // both are waiting in the meantime
    const [first, second] = await Promise.all((await startBoth()).map((each) => each.do("token")));
    expect(first).toEqual({ value: expect.stringContaining("access") });
    expect(second).toEqual(first);
    expect(issuer.requests).toHaveLength(1);
  });

  it("continues after a current process that was killed in its exchange, and the reverse", async () => {
    for (const isReversed of [false, true]) {
      await save(newerRecord());
      const [survivor, killed] = isReversed ? (await startBoth()).toReversed() : await startBoth();
      const before = issuer.requests.length;
      issuer.next({ status: 500, delay: 60_000 }); // not processed: the refresh token stays valid
      void killed?.do("token");
      await vi.waitUntil(() => issuer.requests.length > before, WAIT);
      const renewed = survivor?.do("token");
      killed?.kill();
      expect(await renewed).toEqual({ value: expect.stringContaining("access") });
      expect(issuer.revoked).toBe(0);
    }
  });

  it("keeps what a newer release wrote into the record", async () => {
    await save(newerRecord());
    const old = await start(folders.get(release) ?? "");
    issuer.next({ status: 503, headers: { "retry-after": "0" }, delay: 1_000 });
    const failed = old.do("token");
    const claimed = await vi.waitUntil(async () => {
      const record = await stored();
      return record.attempt && record;
    }, WAIT);
    expect(claimed).toMatchObject({
      later: { deep: ["record"] },
      tokens: { later: "tokens" },
      attempt: { status: "claimed" },
    });
    expect(await failed).toMatchObject({ code: "REFRESH_FAILED" });
    expect(await stored()).toMatchObject({ tokens: { later: "tokens" }, attempt: { status: "failed" } });
    await old.do("later");
    expect(await old.do("token")).toEqual({ value: expect.stringContaining("access") });
    const { later, tokens } = await stored();
    expect(later).toEqual({ deep: ["record"] });
    expect(tokens).not.toHaveProperty("later");
    await old.do("signOut");
    expect(await stored()).toMatchObject({ later: { deep: ["record"] }, dead: { reason: "signed_out" } });
  });

  it("keeps what a newer release wrote into an attempt, as long as that attempt is stored", async () => {
    const record = newerRecord();
    await save({ ...record, tokens: { ...(record.tokens as Json), expiresAt: Date.now() + 60_000 } });
    const [old, now] = await startBoth();
    issuer.next({ status: 500, delay: 60_000 });
    void now.do("refresh");
    await vi.waitUntil(() => issuer.requests.length === 1, WAIT);
    const claimed = await stored();
    await save({ ...claimed, attempt: { ...(claimed.attempt as Json), later: "attempt" } });
    now.kill();
    expect(await old.do("refresh")).toMatchObject({ code: "REFRESH_FAILED" }); // it waits for the expiry
    expect(await stored()).toMatchObject({ attempt: { status: "lost", later: "attempt" } });
    await old.do("later");
    expect(await old.do("token")).toEqual({ value: expect.stringContaining("access") });
    expect(await stored()).not.toHaveProperty("attempt");
    expect(issuer.revoked).toBe(0);
  });

  it("reads a reason that it does not know as session_expired", async () => {
    await save({ ...EXPIRED, session: "a session", dead: { reason: "of_a_later_release", later: "dead" }, later: 1 });
    const old = await start(folders.get(release) ?? "");
    const unchanged = bytes();
    for (const action of ["token", "refresh"]) {
      expect(await old.do(action)).toMatchObject({ code: "SIGN_IN_REQUIRED", reason: "session_expired" });
    }
    expect(await old.do("hasSession")).toEqual({ value: false });
    expect(bytes()).toEqual(unchanged);
    expect(await old.do("signIn")).toEqual({ value: true });
    expect(await stored()).toMatchObject({ later: 1 });
    expect(await stored()).not.toHaveProperty("dead");
  });

  it("does not overwrite a record that requires more than it knows", async () => {
    await save({ ...newerRecord(), requires: ["of-a-later-release"] });
    const old = await start(folders.get(release) ?? "");
    const unchanged = bytes();
    const message = expect.stringMatching(/written by a newer version.*Update/);
    for (const action of ["token", "refresh", "hasSession", "signIn", "adopt", "signOut"]) {
      expect(await old.do(action), action).toMatchObject({ code: "STORE_UNREADABLE", message });
      expect(bytes(), action).toEqual(unchanged);
    }
    expect(issuer.requests).toHaveLength(0);
  });
});
