import { afterEach, describe, expect, it } from "vitest";
import { mostExchanges, type Summary } from "./outcome.ts";
import { Running } from "./running.ts";

const TIMEOUT = 90_000;

let running: Running | undefined;

afterEach(() => running?.remove());

function start(...args: string[]): Running {
  running = new Running(args);
  return running;
}

const lastLine = (text: string): string => text.trimEnd().split("\n").at(-1) ?? "";

describe("with Unexpired", { timeout: TIMEOUT }, () => {
  it("fails no request, revokes no grant, and makes few exchanges", async () => {
    const demo = start("--seconds", "6", "--processes", "4", "--json");
    expect(await demo.end(), demo.stderr).toBe(0);
    const summary: Summary = JSON.parse(demo.stdout);
    expect(summary).toEqual({
      processes: 4,
      requests: expect.any(Number),
      failedRequests: 0,
      exchanges: expect.any(Number),
      revokedGrants: 0,
      seconds: 6,
      mode: "unexpired",
    });
    expect(summary.requests).toBeGreaterThan(300);
    expect(summary.exchanges).toBeGreaterThanOrEqual(2);
    expect(summary.exchanges).toBeLessThanOrEqual(mostExchanges(6));
    expect(demo.stderr).toContain("process 1 was killed (SIGKILL)");
    expect(demo.stderr).toContain("process 5 took its place");
    expectNoTokenPrinted(demo);
    expectNothingLeft(demo);
  });
});

describe("with --naive", { timeout: TIMEOUT }, () => {
  it("fails requests because the grant is revoked, and explains that in the last line", async () => {
    const demo = start("--naive", "--seconds", "3", "--processes", "4");
    expect(await demo.end()).toBe(1);
    expect(demo.stdout).toContain("the server revoked 1 grant");
    expect(lastLine(demo.stdout)).toMatch(/^Why: .*the same refresh token/);
    expectNoTokenPrinted(demo);
    expectNothingLeft(demo);
  });

  it("counts the failures with --json", async () => {
    const demo = start("--naive", "--seconds", "2", "--json");
    expect(await demo.end()).toBe(1);
    const summary: Summary = JSON.parse(lastLine(demo.stdout));
    expect(summary).toMatchObject({ processes: 8, revokedGrants: 1, seconds: 2, mode: "naive" });
    expect(summary.failedRequests).toBeGreaterThan(0);
  });
});

describe("the command line", { timeout: TIMEOUT }, () => {
  it("prints the usage with --help", async () => {
    const demo = start("--help");
    expect(await demo.end()).toBe(0);
    expect(demo.stdout).toContain("--naive");
  });

  it("explains invalid arguments and exits with 2", async () => {
    const demo = start("--seconds", "soon");
    expect(await demo.end()).toBe(2);
    expect(demo.stderr).toContain('--seconds takes a whole number from 1 to 3600, not "soon".');
    expect(demo.stdout).toBe("");
  });
});

describe("the demo", { timeout: TIMEOUT }, () => {
  it.for([
    { after: "Ctrl-C", signal: "SIGINT", to: "group", code: 130 },
    { after: "SIGTERM", signal: "SIGTERM", to: "demo", code: 143 },
    { after: "SIGKILL", signal: "SIGKILL", to: "demo", code: null },
  ] as const)("leaves nothing behind after $after", async ({ signal, to, code }, { skip }) => {
    skip(process.platform === "win32", "not applicable: Windows has no signals");
    const demo = start("--seconds", "60", "--processes", "3");
    await demo.printed(/\d requests, 0 failed/);
    expect(demo.workers()).toHaveLength(3);
    demo.signal(signal, to);
    expect(await demo.end()).toBe(code);
    await expect.poll(() => demo.workers(), { timeout: 10_000 }).toEqual([]);
    expect(demo.leftBehind()).toEqual([]);
  });
});

function expectNothingLeft(demo: Running): void {
  expect(demo.workers()).toEqual([]);
  expect(demo.leftBehind()).toEqual([]);
}

function expectNoTokenPrinted({ tokens, stdout, stderr }: Running): void {
  expect(tokens.size).toBeGreaterThanOrEqual(2);
  for (const token of tokens) expect(stdout + stderr).not.toContain(token);
}
