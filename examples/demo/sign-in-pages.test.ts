import { createHash, randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "./authorization-server.ts";
import { Browser } from "./browser.ts";
import { type LoopbackServer, listenOnLoopback } from "./loopback.ts";

let server: AuthorizationServer;
let program: LoopbackServer;
let callback: URLSearchParams;

beforeEach(async () => {
  server = await startAuthorizationServer({ accessTokenSeconds: 60, signIn: true });
  program = await listenOnLoopback((request, response) => {
    callback = new URL(request.url ?? "", program.origin).searchParams;
    response.end("the program's page");
  });
});
afterEach(async () => {
  await Promise.all([server.close(), program.close()]);
});

const SCOPE = "openid offline_access";

async function post(path: string, body: Readonly<Record<string, string>>) {
  const form = new URLSearchParams({ client_id: server.clientId, ...body });
  return (await fetch(server.issuer + path, { method: "POST", body: form })).json();
}

function authorizationRequest() {
  const verifier = randomBytes(32).toString("base64url");
  const redirect_uri = `${program.origin}/callback`;
  const query = new URLSearchParams({
    client_id: server.clientId,
    response_type: "code",
    redirect_uri,
    scope: SCOPE,
    prompt: "consent",
    code_challenge_method: "S256",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  const redeem = () => {
    const code = callback.get("code") ?? "";
    return post("/token", { grant_type: "authorization_code", code, redirect_uri, code_verifier: verifier });
  };
  return { url: `${server.issuer}/auth?${query}`, redeem };
}

it("signs a user in who accepts, on any port, and ends that session with all others", async () => {
  const { url, redeem } = authorizationRequest();
  expect(await new Browser(server.issuer).decide(url)).toBe("the program's page");
  const tokens = await redeem();
  expect(tokens).toMatchObject({ access_token: expect.any(String), refresh_token: expect.any(String) });
  expect(await server.verify(tokens.access_token)).toBe(true);
  await server.endSessions();
  expect(await server.verify(tokens.access_token)).toBe(false);
});

it("sends a user back who refuses", async () => {
  expect(await new Browser(server.issuer).decide(authorizationRequest().url, "refuse")).toBe("the program's page");
  expect(callback.get("error")).toBe("access_denied");
});

it.each([
  { decision: "accept", outcome: { refresh_token: expect.any(String) } },
  { decision: "refuse", outcome: { error: "access_denied" } },
] as const)("signs a user in with the code of a device: $decision", async ({ decision, outcome }) => {
  const { device_code, verification_uri_complete, interval } = await post("/device/auth", { scope: SCOPE });
  expect(interval).toBe(1);
  const grant = { grant_type: "urn:ietf:params:oauth:grant-type:device_code", device_code };
  expect(await post("/token", grant)).toMatchObject({ error: "authorization_pending" });
  await new Browser(server.issuer).decideForDevice(verification_uri_complete, decision);
  expect(await post("/token", grant)).toMatchObject(outcome);
});
