/** Tests processes whose wall clock goes on while their monotonic clock stands still, as when a laptop sleeps. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { type Issuer, startIssuer } from "@unexpired/testing";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { faketimeSkipReason, jumpClock } from "@unexpired-internal/test-support/faketime";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ReleaseProcess, type Reply } from "./support/releases.ts";

const HOUR = 60 * 60_000;

let directory: string;
let issuer: Issuer;
let clock: ReturnType<typeof jumpClock>;
/** The time that has passed at the issuer while the processes slept, in milliseconds. */
let slept: number;
const processes: ReleaseProcess[] = [];

beforeEach(async ({ skip }) => {
  const reason = faketimeSkipReason();
  if (reason !== undefined) skip(reason);
  directory = mkdtempSync(join(tmpdir(), "unexpired-sleep-"));
  clock = jumpClock(directory);
  slept = 0;
  issuer = await startIssuer({ prefix: CANARY, now: () => Date.now() + slept });
});

afterEach(async () => {
  if (faketimeSkipReason() !== undefined) return;
  for (const each of processes.splice(0)) each.kill();
  await issuer[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** Stores a session whose access token has expired, and starts processes that share it. */
async function startAll(count: number): Promise<readonly ReleaseProcess[]> {
  const path = join(directory, "home", "session.json");
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn({ ...issuer.signIn(), expiresAt: 1 });
  await tokens.close();
  const shared = { path, tokenEndpoint: issuer.tokenEndpoint, env: clock.env };
  const starting = Array.from({ length: count }, () => ReleaseProcess.start(import.meta.dirname, shared));
  processes.push(...(await Promise.all(starting)));
  return processes;
}

/** Puts all processes to sleep, as their clocks tell. */
function sleep(milliseconds: number): void {
  slept += milliseconds;
  clock.jump(slept);
}

const isAccepted = ({ value }: Reply) => issuer.accepts(String(value));

it("hands out no expired token after a sleep of two hours, and makes one exchange on waking", async () => {
  const members = await startAll(4);
  for (const member of members) expect(isAccepted(await member.do("token"))).toBe(true);
  for (let night = 1; night <= 3; night++) {
    sleep(2 * HOUR);
    const tokens = await Promise.all(members.map((member) => member.do("token")));
    expect(tokens.map(isAccepted)).toEqual(members.map(() => true));
    expect(issuer).toMatchObject({ exchanges: 1 + night, revoked: 0 });
  }
  expect(issuer.requests).toHaveLength(4);
});

it("keeps a token that is still valid after a short sleep", async () => {
  const [member] = await startAll(1);
  await member?.do("token");
  sleep(HOUR / 10);
  expect(isAccepted((await member?.do("token")) ?? {})).toBe(true);
  expect(issuer.requests).toHaveLength(1);
});
