import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { signInWithBrowser, signInWithDevice } from "../src/index.ts";

const client = { issuer: "https://auth.example", clientId: "my-app" };

describe("signInWithBrowser", () => {
  it.each([
    { option: "redirectUri", options: { redirectUri: "https://app.example/callback" } },
    { option: "timeout", options: { timeout: 0 } },
    { option: "timeout", options: { timeout: Number.POSITIVE_INFINITY } },
    { option: "openBrowser", options: { openBrowser: "firefox" as never } },
    { option: "print", options: { print: "stderr" as never } },
    { option: "clientId", options: { clientId: "" } },
    { option: 'unknown option "port"', options: { port: 8400 } },
  ])("rejects an invalid $option at once", ({ option, options }) => {
    expect(() => signInWithBrowser({ ...client, ...options })).toThrow(TypeError);
    expect(() => signInWithBrowser({ ...client, ...options })).toThrow(option);
  });
});

/** Starts a server whose device authorization endpoint responds with this code and page. */
async function startServer(code: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer((request, response) => {
    const endpoint = (name: string) => `http://${request.headers.host}/${name}`;
    const metadata = { token_endpoint: endpoint("token"), device_authorization_endpoint: endpoint("device") };
    const body = request.url === "/device" ? { device_code: "d", expires_in: 60, ...code } : metadata;
    const issuer = `http://${request.headers.host}`;
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ issuer, ...body }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe("signInWithDevice", () => {
  it("rejects an invalid print at once", () => {
    expect(() => signInWithDevice({ ...client, print: "stderr" as never })).toThrow(/^print: expected a function/);
  });

  it("prints no control characters of the server, which could rewrite the terminal", async () => {
    const issuer = await startServer({
      user_code: "ABCD\u001b[2J\u009b\u202e-EFGH\r\n",
      verification_uri: "https://auth.example/device",
    });
    const controller = new AbortController();
    const printed = await new Promise<string>((resolve, reject) => {
      signInWithDevice({ ...client, issuer, print: resolve })(controller).catch(reject);
    });
    controller.abort();
    expect(printed).toContain("\n\n  https://auth.example/device\n\n");
    expect(printed).toContain("\n\n  ABCD[2J-EFGH\n");
    expect(printed.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  it("rejects with what print throws", async () => {
    const issuer = await startServer({ user_code: "ABCD-EFGH", verification_uri: "https://auth.example/device" });
    const problem = new Error("the window is closed");
    const print = () => {
      throw problem;
    };
    await expect(signInWithDevice({ ...client, issuer, print })()).rejects.toBe(problem);
  });
});
