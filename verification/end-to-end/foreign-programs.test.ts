/**
 * Tests, in real time, two processes of this library beside a program that keeps the session in its own document and
 * rewrites it every second: `oidc-provider` revokes the session if a refresh token is presented twice.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { describe, expect, it } from "vitest";
import { Agent, startForeignProgram } from "./support/document-agents.ts";

const SLOW_FOR = 60_000;
const FAST_FOR = 10_000;
const LIMIT = { timeout: 120_000 };

const JSON_DOCUMENT = `${JSON.stringify(
  {
    theme: "dark",
    recent: ["zoë", "b\u2028c"],
    writes: 0,
    oauth: { access_token: null, refresh_token: "REFRESH", expires_at: 0 },
    limits: { daily: 1.5, weekly: null },
  },
  null,
  2,
)}\n`;

const JSONC_DOCUMENT = `// Settings of another program
{
    "theme": "dark", /* by hand */
    "writes": 0,
    "oauth": { "access_token": null, "refresh_token": "REFRESH", "expires_at": 0 }, // the session
    "recent": [1,2,   3],
}
// the end
`;

const hasPython = (): boolean => {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

async function prepare(document: string) {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-foreign-"));
  const server = await startAuthorizationServer({ accessTokenSeconds: 5 });
  const path = join(directory, "settings.json");
  writeFileSync(path, document.replace("REFRESH", await server.mintRefreshToken()));
  const dispose = async () => {
    await server.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { path, server, [Symbol.asyncDispose]: dispose };
}

describe.concurrent("beside a program that rewrites the document", LIMIT, () => {
  it.for([
    ["python3", "foreign-program.py", "replace"],
    ["python3", "foreign-program.py", "in-place"],
    [process.execPath, "foreign-program.mjs", "replace"],
    [process.execPath, "foreign-program.mjs", "in-place"],
  ] as const)("two processes keep the session: %s %s %s", async ([command, script, mode], { skip }) => {
    if (command === "python3" && !hasPython()) skip("python3 is not installed");
    await using scene = await prepare(script.endsWith(".py") ? JSON_DOCUMENT : JSONC_DOCUMENT);
    const { path, server } = scene;
    using foreign = startForeignProgram([command, script], [path, mode]);
    using first = new Agent({ path, ...server });
    using second = new Agent({ path, ...server });
    const agents = [first, second];
    const all = (run: (agent: Agent) => Promise<void>) => Promise.all(agents.map(run));
    const sendAll = (order: "fast" | "slow") => {
      foreign.order(order);
      for (const agent of agents) agent.send(order);
    };
    await all((agent) => agent.announces("signed in"));

    await setTimeout(SLOW_FOR);
    sendAll("fast");
    await setTimeout(FAST_FOR);
    sendAll("slow");

    foreign.order("logout");
    await all((agent) => agent.announces("signed_out"));
    foreign.order(`login ${await server.mintRefreshToken()}`);
    await all((agent) => agent.announces("signed in"));

    const reports = await Promise.all(agents.map((agent) => agent.end()));
    const seen = await foreign.end();
    const sum = (name: "exchanges" | "lost") => reports.reduce((total, report) => total + report[name], 0);
    const outcome = { revoked: server.revokedGrants, requests: server.tokenRequests, seen, reports };
    console.log(`${script} ${mode}: ${JSON.stringify(outcome)}`);
    expect(reports.flatMap(({ errors }) => errors)).toEqual([]);
    expect([server.revokedGrants, server.tokenRequests]).toEqual([0, sum("exchanges")]); // no token was presented twice
    expect(sum("exchanges")).toBeGreaterThan(15);
    for (const { looks, shown } of reports) expect(shown).toBeGreaterThan(looks / 2);
    expect(seen.writes).toBeGreaterThan(200);
    expect(seen.changed).toBe(0);
    expect(sum("lost")).toBe(seen.lost);
    expect(readFileSync(path, "utf8")).not.toContain("REFRESH");
  });
});
