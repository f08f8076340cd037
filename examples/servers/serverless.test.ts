import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { Database } from "./trials/database.ts";
import { Program } from "./trials/program.ts";
import { Provider } from "./trials/provider.ts";

const database = Database.use();
const PROCESSES = 4;

/** Starts a process for one request, and resolves to the response once the process has ended. */
async function invoke(provider: Provider, user: string) {
  const env = { DATABASE_URL: database.url, ISSUER: provider.origin, API: provider.origin };
  await using program = new Program(join(import.meta.dirname, "trials/invoke.ts"), env, [user]);
  await program.ended();
  return JSON.parse(program.output);
}

const invokeAtOnce = (provider: Provider, user: string) =>
  Promise.all(Array.from({ length: PROCESSES }, () => invoke(provider, user)));

it("serves each request in a process of its own: one exchange for each expiry, and none is cut off", async () => {
  await using provider = await Provider.start({ expiresIn: 2, latency: 50 });
  await using sessions = database.sessions();
  await sessions.signIn("ada", { ...provider.signIn("ada"), expiresAt: 1 });
  const responses = Array.from({ length: PROCESSES }, () => ({ status: 200, user: "ada" }));
  for (const expiry of [1, 2]) {
    expect(await invokeAtOnce(provider, "ada")).toEqual(responses);
    expect(provider.issuer).toMatchObject({ exchanges: expiry, revoked: 0 });
    const { attempt, tokens: stored } = await database.recordOf("ada");
    expect(attempt).toBeUndefined(); // the exchange was not cut off
    await vi.waitFor(() => expect(provider.issuer.accepts(stored.accessToken)).toBe(false), 5_000);
  }
});

it("ends only after the exchange for a token that expires soon", async () => {
  await using provider = await Provider.start({ latency: 300 });
  await using sessions = database.sessions();
  await sessions.signIn("bob", provider.signIn("bob"));
  await database.expireSoon("bob");
  expect(await invoke(provider, "bob")).toEqual({ status: 200, user: "bob" });
  const { attempt, tokens } = await database.recordOf("bob");
  expect([attempt, tokens.refreshToken]).toEqual([undefined, expect.stringMatching(/\.2$/)]);
  expect(provider.issuer.exchanges).toBe(1);
});

it("asks users without a session to connect", async () => {
  await using provider = await Provider.start();
  expect(await invoke(provider, "eve")).toMatchObject({ status: 401, connect: "/connect" });
});
