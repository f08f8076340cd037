import { setTimeout as sleep } from "node:timers/promises";
import { loadClient } from "@unexpired/core/session-record";
import { fileStore } from "@unexpired/store-node";
import { sdks } from "@unexpired-internal/mcp-support/sdks";
import { describe, expect, it } from "vitest";
import type { McpSignInContext } from "../src/index.ts";
import { clientMetadata, DONE, sessionFile, signIn, startProgram, startServer } from "./support.ts";

describe.each(sdks)("signIn with $name", (sdk) => {
  it("signs in within fetch, so that the SDK sees no 401", async () => {
    const server = await startServer();
    const connection = startProgram(server.url, sessionFile(), { signIn }).open(sdk);
    await connection.connect();
    expect(await connection.call("echo")).toEqual(DONE);
    const { counts, resources } = server.authorization;
    expect(counts).toMatchObject({ prompts: 1, signIns: 1, registrations: 1, exchanges: 0 });
    expect(resources).toEqual([server.url]);
    expect(server.requests.filter(({ status }) => status === 401)).toHaveLength(1);
  });

  it("signs in once for all processes, which then refresh once", async () => {
    const server = await startServer({ accessTokenSeconds: 2 });
    const file = sessionFile();
    const connections = [1, 2, 3].map(() => startProgram(server.url, file, { signIn }).open(sdk));
    await Promise.all(connections.map((connection) => connection.connect()));
    await sleep(3_100); // the server's tolerance is one second
    expect(await Promise.all(connections.map((connection) => connection.call("echo")))).toEqual([DONE, DONE, DONE]);
    expect(server.authorization.counts).toMatchObject({ prompts: 1, signIns: 1, registrations: 1, exchanges: 1 });
    expect(server.authorization.resources).toEqual([server.url, server.url]);
  });

  it("signs in again after the server has ended the session, with the same registration", async () => {
    const server = await startServer();
    const { auth, open } = startProgram(server.url, sessionFile(), { signIn });
    const connection = open(sdk);
    await connection.connect();
    await server.authorization.endSessions();
    await expect(auth.tokens.refresh()).rejects.toThrow();
    expect(await connection.call("echo")).toEqual(DONE);
    expect(server.authorization.counts).toMatchObject({ prompts: 2, signIns: 2, registrations: 1, revoked: 0 });
  });

  it("registers again if the server has forgotten the client", async () => {
    const server = await startServer();
    const file = sessionFile();
    const { auth, open } = startProgram(server.url, file, { signIn });
    const connection = open(sdk);
    await connection.connect();
    const before = await loadClient(fileStore({ path: file }));
    await server.authorization.forgetClient(String(before?.registration?.client_id));
    await expect(auth.tokens.refresh()).rejects.toMatchObject({ code: "SIGN_IN_REQUIRED" });
    await server.authorization.endSessions(); // until then, the access token is used
    expect(await connection.call("echo")).toEqual(DONE);
    expect(server.authorization.counts).toMatchObject({ signIns: 2, registrations: 2 });
  });

  it("asks for more rights once after a 403, together with those that the session has", async () => {
    const server = await startServer({ scope: "mcp mcp:write", writeScope: "mcp:write" });
    const scopes: (string | undefined)[] = [];
    const { open } = startProgram(server.url, sessionFile(), {
      signIn: (context) => {
        scopes.push(context.scope);
        return signIn(context);
      },
    });
    const connection = open(sdk);
    await connection.connect();
    expect(await connection.call("write")).toEqual(DONE);
    expect(await connection.call("write")).toEqual(DONE);
    expect(scopes).toEqual(["mcp offline_access", "mcp mcp:write offline_access"]);
  });

  it("asks once, and returns the 403, if the new token has no more rights", async () => {
    const server = await startServer({ writeScope: "mcp:admin" });
    const { open } = startProgram(server.url, sessionFile(), {
      signIn: (context) => signIn(Object.defineProperty(context, "scope", { value: "mcp" })),
    });
    const connection = open(sdk);
    await connection.connect();
    await expect(connection.call("write")).rejects.toThrow(/403|POSTing/);
    expect(server.authorization.counts.prompts).toBe(2);
  });

  it("passes a failed sign-in on, and asks again at the next request", async () => {
    const server = await startServer();
    let count = 0;
    const { open } = startProgram(server.url, sessionFile(), {
      signIn: (context) => {
        count += 1;
        return count === 1 ? Promise.reject(new Error("the window was closed")) : signIn(context);
      },
    });
    await expect(open(sdk).connect()).rejects.toThrow("the window was closed");
    const connection = open(sdk);
    await connection.connect();
    expect(count).toBe(2);
  });
});

describe("a context", () => {
  it("consists of the options of a flow, and a signal that is not enumerable", async () => {
    const server = await startServer();
    let given: McpSignInContext | undefined;
    const { auth } = startProgram(server.url, sessionFile(), {
      signIn: (context) => {
        given = context;
        return signIn(context);
      },
    });
    expect((await auth.fetch(server.url, { method: "POST", body: "{}" })).status).not.toBe(401);
    expect(Object.keys(given ?? {}).sort()).toEqual(
      ["clientAuth", "clientId", "fetch", "issuer", "parameters", "redirectUri", "resource", "scope"].sort(),
    );
    expect(given).toMatchObject({
      issuer: { issuer: server.authorization.issuer },
      clientAuth: { method: "none" },
      redirectUri: clientMetadata.redirect_uris[0],
      resource: server.url,
      scope: "mcp offline_access",
      parameters: { prompt: "consent" },
    });
    expect(given?.signal).toBeInstanceOf(AbortSignal);
  });

  it("goes on after the caller has left, so that the next request finds the session", async () => {
    const server = await startServer();
    let begin: () => void = () => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { auth } = startProgram(server.url, sessionFile(), {
      signIn: async (context) => {
        begin();
        await released;
        return signIn(context);
      },
    });
    const controller = new AbortController();
    const left = auth.fetch(server.url, { method: "POST", body: "{}", signal: controller.signal });
    await begun;
    controller.abort(new Error("left"));
    await expect(left).rejects.toThrow("left");
    const next = auth.fetch(server.url, { method: "POST", body: "{}" });
    release();
    expect((await next).status).not.toBe(401);
    expect(server.authorization.counts).toMatchObject({ prompts: 1, signIns: 1 });
  });
});
