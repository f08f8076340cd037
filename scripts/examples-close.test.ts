/** Every example ends its session, so that a program that fails does not lose a rotation. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "./workspace.ts";

const tracked = (...patterns: string[]): string[] =>
  execFileSync("git", ["ls-files", "--", ...patterns], { cwd: root, encoding: "utf8" })
    .trim()
    .split("\n");

const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** The code blocks of all pages, and the examples that are one file each. */
const examples = [
  ...tracked("*.md").flatMap((file) =>
    [...read(file).matchAll(/^```[jt]s\n(.*?)^```/gms)].map(([, code = ""], index) => ({
      name: `block ${index + 1} of ${file}`,
      code,
    })),
  ),
  ...tracked("examples/*.ts")
    .filter((file) => file.split("/").length === 2)
    .map((name) => ({ name, code: read(name) })),
];
const managers = examples.filter(({ code }) => /\bcreateTokenManager\(/.test(code));
const servers = examples.filter(({ code }) => /= createSessions\(/.test(code));

it.each(managers)("$name closes its manager, also if it fails", ({ code }) => {
  expect(code).toMatch(/await using tokens\b|finally \{[^}]*\bawait tokens\.close\(\)/);
});

it.each(servers)("$name closes its sessions", ({ code }) => {
  expect(code).toMatch(/await using sessions\b|await sessions\.close\(\)/);
});

it("finds the examples", () => {
  expect(managers.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["block 1 of README.md", "examples/axios.ts", "block 2 of docs/providers.md"]),
  );
  expect(servers.map(({ name }) => name)).toContain("block 2 of docs/servers.md");
});
