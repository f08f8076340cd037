import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { startApi } from "@unexpired-internal/demo/api";
import { canary } from "@unexpired-internal/test-support/canary";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Grace, type GraceServer, type Hold, startGraceServer } from "./support/grace-server.ts";

const OTHERS = 4;

let directory: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "unexpired-takeover-"));
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(directory, { recursive: true });
});

interface Case {
  readonly when: string;
  readonly hold: Hold;
  readonly grace: Grace;
  /** The report of each of the others. */
  readonly report: unknown;
  readonly requests: number;
  readonly isRevoked: boolean;
}

const GRACE = { seconds: 30, replayReturns: "same" } as const;

const cases: Case[] = [
  {
    when: "before the server processed its request",
    hold: "before",
    grace: { seconds: 0, replayReturns: "same" },
    report: 200,
    requests: 2,
    isRevoked: false,
  },
  {
    when: "after that, with a grace period of 30 s that returns the same tokens",
    hold: "after",
    grace: GRACE,
    report: 200,
    requests: 2,
    isRevoked: false,
  },
  {
    when: "after that, with a grace period of 30 s that returns new tokens",
    hold: "after",
    grace: { ...GRACE, replayReturns: "new" },
    report: 200,
    requests: 2,
    isRevoked: false,
  },
  {
    when: "after that, without a grace period",
    hold: "after",
    grace: { seconds: 0, replayReturns: "same" },
    report: "response_lost",
    requests: 2,
    isRevoked: true,
  },
];

it.each(cases)("lets the others take over if the holder is killed $when", async ({ hold, grace, ...expected }) => {
  await using server = await startGraceServer(grace);
  const api = await startApi((accessToken) => server.verify(accessToken));
  const path = join(directory, `${cases.findIndex(({ when }) => when === expected.when)}`, "session.json");
  await signInExpired(path, server);
  const start = () => startHolder([path, server.tokenEndpoint, "client", api.origin, String(grace.seconds)]);
  const [holder, ...others] = await Promise.all([start(), ...Array.from({ length: OTHERS }, start)]);

  const held = server.holdNext(hold);
  holder.send("go");
  await held;
  const reports = others.map(async (child) => (await once(child, "message"))[0] as unknown);
  for (const child of others) child.send("go"); // they find the claim and wait for its owner
  await waitForLoads();
  holder.kill("SIGKILL");
  const killedAt = performance.now();
  expect(await Promise.all(reports)).toEqual(Array(OTHERS).fill(expected.report));
  console.log(`the holder was killed ${expected.when}: settled after ${Math.round(performance.now() - killedAt)} ms`);
  expect(server).toMatchObject({ requests: expected.requests, isRevoked: expected.isRevoked });
  await api.close();
});

const waitForLoads = () => new Promise((resolve) => setTimeout(resolve, 100));

/** Creates a session file whose access token has expired. */
async function signInExpired(path: string, server: GraceServer): Promise<void> {
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn({ accessToken: canary("access", "expired"), refreshToken: server.mint(), expiresAt: 0 });
  await tokens.close();
}

async function startHolder(args: string[]): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, "fixtures/holder.ts"), args);
  children.push(child);
  await once(child, "message");
  return child;
}
