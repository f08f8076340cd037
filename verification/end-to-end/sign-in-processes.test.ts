/** Eight processes that sign in at once: the user sees one prompt. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { Browser } from "@unexpired-internal/demo/browser";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SignInMember, SignInMembers } from "./support/sign-in-members.ts";

const PROCESSES = 8;
/** How long no other prompt may appear. */
const QUIET = 1_500;

let server: AuthorizationServer;
let directory: string;

beforeEach(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 60, signIn: true });
  directory = mkdtempSync(join(tmpdir(), "unexpired-sign-in-"));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  await server.close();
});

/** Starts the processes, and waits until one of them has asked the user, and all others wait for it. */
async function start() {
  const { issuer, clientId } = server;
  const members = new SignInMembers(PROCESSES, { path: join(directory, "session.json"), issuer, clientId });
  await expect.poll(() => members.all.filter(({ isWaiting }) => isWaiting).length, slow).toBe(PROCESSES - 1);
  await expect.poll(() => members.prompting.length, slow).toBe(1);
  const [first] = members.prompting as [SignInMember];
  return { members, first, others: members.all.filter((member) => member !== first) };
}

const slow = { timeout: 20_000 };
const decide = (member: SignInMember | undefined, decision: "accept" | "refuse" = "accept") =>
  new Browser(server.issuer).decide(member?.prompt ?? "", decision);

/** Expects that all of them have the same token, which one of them has obtained, and that they end by themselves. */
async function expectOneSession(members: readonly SignInMember[]): Promise<void> {
  expect(await Promise.all(members.map(({ ended }) => ended))).toEqual(members.map(() => 0));
  const outcomes = members.map(({ outcome }) => outcome);
  expect(outcomes).toEqual(members.map(() => expect.objectContaining({ type: "signed-in" })));
  expect(new Set(outcomes.map((outcome) => Object(outcome).accessToken)).size).toBe(1);
  expect(outcomes.filter((outcome) => Object(outcome).isOurs)).toHaveLength(1);
  expect(server.tokenRequests).toBe(1);
}

describe(`${PROCESSES} processes that sign in at once`, { timeout: 60_000 }, () => {
  it("ask the user once, and all go on with the session", async () => {
    using scene = (await start()).members;
    await decide(scene.prompting[0]);
    await expectOneSession(scene.all);
    expect(scene.prompting).toHaveLength(1);
  });

  it("ask the user once more if the process that asked is killed", async () => {
    const { members, first, others } = await start();
    using _ = members;
    first.signal("SIGKILL");
    await expect.poll(() => members.prompting.length, slow).toBe(2);
    await sleep(QUIET);
    expect(members.prompting).toHaveLength(2);
    await decide(members.prompting.find((member) => member !== first));
    await expectOneSession(others);
  });

  it("wait while the process that asked is stopped, and go on with its session when it continues", async () => {
    const { members, first, others } = await start();
    using _ = members;
    first.signal("SIGSTOP");
    await sleep(QUIET);
    expect(members.prompting).toHaveLength(1);
    expect(others.map(({ outcome }) => outcome)).toEqual(others.map(() => undefined));
    first.signal("SIGCONT");
    await decide(first);
    await expectOneSession(members.all);
  });

  it("all fail for the same reason if the user refuses, and none of them asks again", async () => {
    const { members, first } = await start();
    using _ = members;
    await decide(first, "refuse");
    await Promise.all(members.all.map(({ ended }) => ended));
    const refused = { type: "failed", code: "SIGN_IN_FAILED", reason: "refused" };
    expect(members.all.map(({ outcome }) => outcome)).toEqual(members.all.map(() => expect.objectContaining(refused)));
    expect(members.prompting).toHaveLength(1);
  });

  it("ask nothing once there is a session", async () => {
    using scene = (await start()).members;
    await decide(scene.prompting[0]);
    await expectOneSession(scene.all);
    using later = new SignInMembers(2, {
      path: join(directory, "session.json"),
      issuer: server.issuer,
      clientId: server.clientId,
    });
    await Promise.all(later.all.map(({ ended }) => ended));
    expect(later.all.map(({ outcome }) => outcome)).toMatchObject(Array(2).fill({ type: "signed-in", isOurs: false }));
    expect(later.prompting).toHaveLength(0);
  });
});
