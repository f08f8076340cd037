/** Tests, in real time, what becomes of a session whose holder is stopped for 90 seconds in mid-exchange. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { createTokenManager } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { type Fault, type Issuer, startIssuer } from "@unexpired/testing";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { beforeAll, describe, expect, inject, it, vi } from "vitest";
import { installPacked, ReleaseProcess, type Reply } from "./support/releases.ts";

const PROCESSES = 8;
const STOPPED_FOR = 90_000;
const LIMIT = { timeout: 180_000 };

let installed: string;

beforeAll(() => {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-stopped-"));
  installed = installPacked(inject("tarballs"), directory);
  return () => rmSync(directory, { recursive: true });
});

/** An expired session that eight processes share. One of them is in the middle of its exchange, and stopped. */
interface Scene extends AsyncDisposable {
  readonly issuer: Issuer;
  readonly holder: ReleaseProcess;
  readonly others: readonly ReleaseProcess[];
  /** The outcome of the holder's call. */
  readonly result: Promise<Reply>;
}

/** `fault` applies to the exchange of the holder. */
async function stopHolder(fault: Fault): Promise<Scene> {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-stopped-"));
  const path = join(directory, "session.json");
  const issuer = await startIssuer({ prefix: CANARY });
  const tokens = createTokenManager({ store: fileStore({ path }) });
  await tokens.signIn({ ...issuer.signIn(), expiresAt: 1 });
  await tokens.close();
  const shared = { path, tokenEndpoint: issuer.tokenEndpoint };
  const starting = Array.from({ length: PROCESSES - 1 }, () => ReleaseProcess.start(installed, shared));
  const holder = await ReleaseProcess.start(installed, shared);
  const others = await Promise.all(starting);
  issuer.next(fault);
  const result = holder.do("token");
  await vi.waitUntil(() => issuer.requests.length === 1, { timeout: 10_000, interval: 5 });
  holder.signal("SIGSTOP");
  const dispose = async () => {
    for (const each of [holder, ...others]) each.kill();
    await issuer[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  };
  return { issuer, holder, others, result, [Symbol.asyncDispose]: dispose };
}

/**
 * Asks for a token again and again, like a program that retries. Resolves to the errors once there is a token, or once the
 * user would have to sign in.
 */
async function callUntilToken(member: ReleaseProcess): Promise<readonly Reply[]> {
  const errors: Reply[] = [];
  for (;;) {
    const reply = await member.do("token");
    if (reply.value !== undefined) return errors;
    errors.push(reply);
    if (reply.code === "SIGN_IN_REQUIRED") return errors;
    await setTimeout(100);
  }
}

describe.concurrent("a holder that is stopped for 90 s in mid-exchange", () => {
  it("keeps its claim, and its exchange is the only one once it continues", LIMIT, async () => {
    await using scene = await stopHolder({ delay: 500 });
    const { issuer, holder, others, result } = scene;
    const calls = others.map(callUntilToken);
    await setTimeout(STOPPED_FOR);
    holder.signal("SIGCONT");
    expect(await result).toEqual({ value: expect.stringContaining("access") });
    const errors = (await Promise.all(calls)).flat();
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.filter(({ code }) => code !== "REFRESH_FAILED")).toEqual([]);
    expect(errors.filter(({ message }) => !message?.includes(String(holder.pid)))).toEqual([]);
    expect(issuer.requests).toHaveLength(1);
    expect(issuer.revoked).toBe(0);
  });

  it("is replaced within 2 s if it is killed then", LIMIT, async () => {
    await using scene = await stopHolder({ status: 500, delay: 2 * STOPPED_FOR }); // not processed
    const { issuer, holder, others } = scene;
    const calls = others.map(callUntilToken);
    await setTimeout(STOPPED_FOR);
    expect(issuer.requests).toHaveLength(1);
    const killedAt = performance.now();
    holder.kill();
    const errors = (await Promise.all(calls)).flat();
    expect(performance.now() - killedAt).toBeLessThan(2_000);
    expect(errors.filter(({ code }) => code !== "REFRESH_FAILED")).toEqual([]);
    expect(issuer.requests).toHaveLength(2);
    expect(issuer.revoked).toBe(0);
  });
});
