/** Runs the sign-ins of the core's README. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type OidcProvider, startOidcProvider } from "@unexpired-internal/test-support/oidc-provider";
import { UserAgent } from "@unexpired-internal/test-support/user-agent";
import { expect, it, onTestFinished } from "vitest";
import { block, readPage } from "./support/pages.ts";

const REDIRECT = "http://127.0.0.1:4711/callback";
const page = readPage("packages/core/README.md");
const fields = { login: "ada", password: "canary-password" };

const startServer = (): Promise<OidcProvider> =>
  startOidcProvider({
    interval: 0.1,
    clients: [
      {
        client_id: "my-app",
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        redirect_uris: [REDIRECT],
        id_token_signed_response_alg: "ES256",
      },
    ],
  });

/** Starts a block of the README, and calls `act` with the text that it prints, which may write to the program. */
async function run(name: string, issuer: string, act: (printed: string) => Promise<string>) {
  const folder = mkdtempSync(join(import.meta.dirname, "flow-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "program.ts");
  writeFileSync(program, block(page, name));
  const child = spawn(process.execPath, [program], { env: { ...process.env, ISSUER: issuer } });
  const errors = text(child.stderr);
  let printed = "";
  child.stdout.setEncoding("utf8");
  for await (const chunk of child.stdout) {
    const isFirst = printed === "";
    printed += chunk;
    if (isFirst) child.stdin.end(await act(printed));
  }
  return { printed, errors: await errors };
}

it("signs in with a code that the user enters", async () => {
  await using server = await startServer();
  const { printed, errors } = await run("device", server.issuer, async (text) => {
    const [, uri = "", code = ""] = /^Open (\S+) and enter (\S+)\.$/m.exec(text) ?? [];
    await new UserAgent().open(uri, { fields: { ...fields, user_code: code } });
    return "";
  });
  expect(errors).toBe("");
  expect(printed).toMatch(/^Open .*\nSigned in, with the scope openid offline_access\n$/);
});

it("signs in with the URL to which the server has sent the browser", async () => {
  await using server = await startServer();
  const { printed, errors } = await run("browser", server.issuer, async (text) => {
    const [, url = ""] = /^Open (\S+)$/m.exec(text) ?? [];
    return `${await new UserAgent().open(url, { until: REDIRECT, fields })}\n`;
  });
  expect(errors).toBe("");
  expect(printed).toMatch(/Signed in, with the scope openid offline_access\n$/);
});
