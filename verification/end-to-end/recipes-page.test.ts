/** Checks that the pages of recipes show code as it is, and runs the programs that are only on a page. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { accepting, startResourceServer } from "@unexpired/testing";
import { describe, expect, it } from "vitest";
import { startServers } from "./readme.ts";
import { block, readPage, root } from "./support/pages.ts";

const page = readPage("docs/recipes.md");

/** The pages, each with the folder of the files that it shows. */
const pages = [
  { ...page, folder: "examples/connections" },
  { ...readPage("docs/clients.md"), folder: "examples/clients" },
  { ...readPage("docs/servers.md"), folder: "examples/servers" },
];

describe.each(pages)("$file", ({ text, blocks, folder }) => {
  const shown = [...blocks].filter(([name]) => name.includes("/"));

  it("names every block of TypeScript", () => {
    expect(blocks.size).toBe(text.match(/^```ts$/gm)?.length);
  });

  it("shows every recipe", () => {
    const recipes = readdirSync(join(root, folder)).filter((name) => /^[\w-]+\.ts$/.test(name));
    expect(shown.map(([name]) => name).sort()).toEqual(recipes.map((name) => `${folder}/${name}`).sort());
  });

  it.each(shown)("shows %s as it is", (name, code) => {
    expect(code).toBe(readFileSync(join(root, name), "utf8"));
  });
});

/** Runs a program of a page, and returns what it prints. */
async function run(program: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = mkdtempSync(join(import.meta.dirname, "recipe-"));
  try {
    const file = join(folder, "program.ts");
    writeFileSync(file, program);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env: { ...process.env, ...env } });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

it("has a program for withToken that connects with the second token", async () => {
  expect(await run(block(page, "with-token"))).toBe("connected\n");
});

it("leads to a program for firstAvailable, in the README of the core, that says where its token comes from", async () => {
  const readme = readFileSync(join(root, "packages/core/README.md"), "utf8");
  const [, program = ""] = /^## Tokens from elsewhere\n\n```ts\n(.*?)^```/ms.exec(readme) ?? [];
  await using api = await startResourceServer();
  api.respond = accepting("enterprise", "own");
  const runWith = (env: Readonly<Record<string, string>>) => run(program, { API: api.origin, ...env });
  expect(await runWith({ APP_TOKEN: "own" })).toBe("200 with the token from APP_TOKEN\n");
  const both = { APP_TOKEN: "own", ENTERPRISE_TOKEN: "enterprise" };
  expect(await runWith(both)).toBe("200 with the token from ENTERPRISE_TOKEN\n");
  for (const env of [{ APP_TOKEN: "rejected" }, { APP_TOKEN: "" }])
    expect(await runWith(env)).toBe("Please sign in, or set APP_TOKEN.\n");
});

it("leads to a program for many users, in the README of the core", async () => {
  const readme = readFileSync(join(root, "packages/core/README.md"), "utf8");
  const program = /^## Servers\n\n[^\n]+\n\n```ts\n(.*?)^```/ms.exec(readme)?.[1] ?? "";
  await using servers = await startServers();
  expect(await run(program, servers.env)).toBe("200 false\n");
});
