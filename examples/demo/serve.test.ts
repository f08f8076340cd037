import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { discover } from "@unexpired/core/flows";
import { expect, it } from "vitest";

it("prints the addresses of an authorization server and an API, which end with Ctrl-C", async () => {
  const program = fileURLToPath(new URL("serve.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const [line] = await once(createInterface(child.stdout), "line");
  const [, issuer = "", api = ""] = /^export ISSUER=(\S+) API=(\S+) # the client is demo-client;/.exec(line) ?? [];
  expect((await discover(issuer)).deviceAuthorizationEndpoint).toMatch(issuer);
  expect((await fetch(api)).status).toBe(401);
  child.kill("SIGINT");
  expect(await exited).toEqual([0, null]);
});
