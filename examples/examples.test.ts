/** Runs each small example as a user would: as a separate process in an empty folder. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager, type TokenStore } from "@unexpired/core";
import { keychainStore } from "@unexpired/store-keychain";
import { fileStore } from "@unexpired/store-node";
import { type Issuer, startIssuer, startResourceServer, UNAUTHORIZED } from "@unexpired/testing";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { SecretServiceDaemon, secretServiceSkipReason } from "@unexpired-internal/test-support/secret-service-daemon";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const SECRET = "only for signed-in callers";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "unexpired-examples-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** An API that accepts the issuer's tokens, but rejects the request with the index `rejected`. */
async function startApi(issuer: Issuer, rejected: number | undefined) {
  const server = await startResourceServer();
  server.respond = ({ authorization = "" }, index) => {
    const isAccepted = issuer.accepts(authorization.replace("Bearer ", "")) && index !== rejected;
    return isAccepted ? { status: 200, body: JSON.stringify({ secret: SECRET }) } : UNAUTHORIZED;
  };
  return server;
}

/** Stores a session with a valid token from a sign-in; one from a refresh would not be refreshed again for a while. */
async function signIn(store: TokenStore, issuer: Issuer): Promise<void> {
  await using tokens = createTokenManager({ store });
  await tokens.signIn(issuer.signIn());
}

/** Starts a token endpoint that accepts and returns JSON with other field names, in front of the issuer's endpoint. */
async function startJsonEndpoint(issuer: Issuer) {
  const server = await startResourceServer();
  server.respond = async ({ body }) => {
    const { refreshToken } = JSON.parse(body.toString());
    const form = new URLSearchParams({ grant_type: "refresh_token", refresh_token: refreshToken });
    const response = await fetch(issuer.tokenEndpoint, { method: "POST", body: form });
    const { access_token, refresh_token, expires_in, error } = await response.json();
    const renamed = { accessToken: access_token, refreshToken: refresh_token, expiresIn: expires_in, error };
    return { status: response.status, body: JSON.stringify(renamed) };
  };
  return server;
}

/** Starts the servers for an example. Its API rejects the request with the index `rejected` (0: the first). */
async function start(name: string, rejected?: number) {
  await using started = new AsyncDisposableStack();
  const issuer = started.use(await startIssuer({ prefix: CANARY }));
  const api = started.use(await startApi(issuer, rejected));
  const json = started.use(await startJsonEndpoint(issuer));
  const env = {
    TOKEN_ENDPOINT: name === "custom-refresh" ? json.origin : issuer.tokenEndpoint,
    API: `${api.origin}/me`,
    REFRESH_TOKEN: issuer.signIn().refreshToken,
  };
  const all = started.move();
  return { issuer, api, env, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** Runs an example and returns its exit code and output. Fails if the output contains a token. */
async function run(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const [name = "", ...rest] = args;
  const home = { HOME: folder, XDG_STATE_HOME: folder, LOCALAPPDATA: folder };
  const options = { cwd: folder, env: { ...process.env, NO_COLOR: "1", ...home, ...env } };
  const program = join(import.meta.dirname, `${name}.ts`);
  const result = await new Promise<{ code: unknown; printed: string }>((resolve) => {
    execFile(process.execPath, [program, ...rest], options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, printed: `${stdout}${stderr}` }),
    );
  });
  expect(result.printed.includes(CANARY), "a token was printed").toBe(false);
  return result;
}

const done = { code: 0, printed: expect.stringContaining(SECRET) };

describe.each(["axios", "ofetch", "got", "fetch", "custom-refresh", "openid-client"])("examples/%s.ts", (name) => {
  it("refreshes once and keeps the session for the next process", async () => {
    await using servers = await start(name);
    for (const _ of ["signs in", "finds the session"]) expect(await run([name], servers.env)).toEqual(done);
    expect(servers.issuer).toMatchObject({ exchanges: 1, revoked: 0 });
    expect(servers.api.received).toHaveLength(2);
  });

  it("recovers from a 401", async () => {
    await using servers = await start(name, 0);
    await signIn(fileStore({ path: join(folder, "session.json") }), servers.issuer);
    expect(await run([name], servers.env)).toEqual(done);
    expect(servers.issuer).toMatchObject({ exchanges: 1, revoked: 0 });
    expect(servers.api.received).toHaveLength(2);
  });

  it("asks for a new sign-in if the server rejects the refresh token", async () => {
    await using servers = await start(name);
    const result = await run([name], { ...servers.env, REFRESH_TOKEN: `${CANARY}refresh-unknown` });
    expect(result).toEqual({ code: 1, printed: expect.stringMatching(/Please sign in again|SignInRequiredError/) });
    expect(servers.api.received).toEqual([]);
  });
});

describe("examples/keychain-cli.ts", () => {
  it("signs in, shares the session between its runs, and signs out", { timeout: 120_000 }, async (ctx) => {
    const reason = secretServiceSkipReason();
    if (reason !== undefined) ctx.skip(reason);
    await using service = await SecretServiceDaemon.start();
    process.env.DBUS_SESSION_BUS_ADDRESS = service.address;
    await using servers = await start("keychain-cli", 1);
    const cli = (...args: string[]) => run(["keychain-cli", ...args], servers.env);
    const signedOut = { code: 1, printed: expect.stringContaining("Run `keychain-cli login` first.") };
    const silent = { code: 0, printed: "" };
    expect(await cli("me")).toEqual(signedOut);
    expect(await cli("login")).toEqual(silent);
    expect(service.accountsOf("my-tool")).not.toEqual([]);
    expect(await cli()).toEqual(done);
    expect(await cli("logout")).toEqual(silent);
    expect(await cli("me")).toEqual(signedOut);
    const [machine = ""] = readdirSync(join(folder, "unexpired", "keychain"));
    const directory = join(folder, "unexpired", "keychain", machine);
    await signIn(keychainStore({ service: "my-tool", account: "default", directory }), servers.issuer);
    expect(await cli("me")).toEqual(done);
    expect(servers.issuer).toMatchObject({ exchanges: 2, revoked: 0 });
  });
});
