/** Tests programs in a realm of their own, where `instanceof` fails for the errors and objects of Node. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { TokenEndpointError } from "@unexpired/core";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { type GraceServer, startGraceServer } from "./support/grace-server.ts";

/** The packages as the tests use them: in the realm of their own, but with this realm's types. */
interface Realm {
  readonly core: typeof import("@unexpired/core");
  readonly oauth2: typeof import("@unexpired/core/oauth2");
  readonly storeNode: typeof import("@unexpired/store-node");
  readonly storeKeychain: typeof import("@unexpired/store-keychain");
}

const PACKAGES = `
  exports.core = require("@unexpired/core");
  exports.oauth2 = require("@unexpired/core/oauth2");
  exports.storeNode = require("@unexpired/store-node");
  exports.storeKeychain = require("@unexpired/store-keychain");
`;

/** Loads the packages in a new realm that has Node's globals, but the language's own `Error`, `Promise` and so on. */
function createRealm(): Realm {
  const stdin = { contents: PACKAGES, resolveDir: import.meta.dirname };
  const mainFields = ["module", "main"]; // as in the build of store-node
  const { outputFiles } = buildSync({ stdin, bundle: true, platform: "node", format: "cjs", mainFields, write: false });
  const language = Object.getOwnPropertyNames(runInContext("globalThis", createContext()));
  const ofNode = Object.getOwnPropertyNames(globalThis).filter((name) => !language.includes(name));
  const globals = Object.fromEntries(ofNode.map((name) => [name, Reflect.get(globalThis, name)]));
  const program = runInContext(`(require, exports) => {${outputFiles[0]?.text}\n}`, createContext(globals));
  const exports = {};
  program(createRequire(import.meta.url), exports);
  return exports as Realm;
}

let realm: Realm;
let server: GraceServer;
let directory: string;

beforeAll(async () => {
  realm = createRealm();
  server = await startGraceServer({ seconds: 0, replayReturns: "same" });
});

afterAll(() => server[Symbol.asyncDispose]());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "unexpired-realm-"));
  return () => rmSync(directory, { recursive: true });
});

it("is another realm", () => {
  expect(Reflect.construct(realm.core.StoreConflictError, ["x"])).not.toBeInstanceOf(Error);
});

it("keeps a session in a file", async () => {
  const { core, oauth2, storeNode } = realm;
  const open = () =>
    core.createTokenManager({
      store: storeNode.fileStore({ path: join(directory, "new", "session.json") }),
      refresh: oauth2.oauth2Refresh({ tokenEndpoint: new URL(server.tokenEndpoint), clientId: "realm" }),
    });
  await using tokens = open();
  expect(await tokens.hasSession()).toBe(false);
  await tokens.signIn({ refreshToken: server.mint() });
  await using other = open();
  expect(await tokens.getAccessToken()).toBe(await other.getAccessToken());
  expect(server).toMatchObject({ requests: 1, isRevoked: false });
});

it("recognizes errors of another realm and of another copy of the packages", async () => {
  const { core, oauth2 } = realm;
  const tokenEndpoint = new URL(server.tokenEndpoint);
  const failing = [
    {
      error: new TokenEndpointError({ error: "invalid_client", sent: true }),
      code: "CONFIGURATION",
      problem: "invalid_client",
    },
    {
      error: Object.assign(new Error(), { syscall: "connect" }),
      code: "REFRESH_FAILED",
      problem: "received no request",
    },
  ];
  for (const { error, code, problem } of failing) {
    const refresh = oauth2.oauth2Refresh({ tokenEndpoint, clientId: "realm", fetch: () => Promise.reject(error) });
    await using tokens = core.createTokenManager({ refresh });
    await tokens.signIn({ refreshToken: "canary-refresh" });
    await expect(tokens.getAccessToken()).rejects.toMatchObject({ code, message: expect.stringContaining(problem) });
  }
  expect(new core.RefreshFailedError(0, { cause: new Error("a cause") }).message).toContain("a cause");
});

it("uses the file if there is no keychain", async () => {
  const { storeKeychain } = realm;
  const fail = () => Promise.reject(new Error("D-Bus: ServiceUnknown"));
  const store = storeKeychain.keychainOrFile({
    service: "realm",
    account: "ada",
    directory: join(directory, "state"),
    backend: { name: "failing", get: fail, set: fail, delete: fail },
    plainTextFile: { path: join(directory, "plain", "session.json") },
  });
  await store.save("a session", undefined);
  expect(readdirSync(join(directory, "plain"))).toContain("session.json");
  await expect(store.save("another", undefined)).rejects.toMatchObject({ code: "STORE_CONFLICT" });
});
