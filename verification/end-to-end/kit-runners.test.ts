/** Tests the conformance kit, packed and installed by npm, with the stores of docs/writing-a-store.md. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { run } from "../../scripts/workspace.ts";
import { block, readPage, root } from "./support/pages.ts";

const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const tools = ["typescript", "vitest", "@types/node"].map((name) => `${name}@${devDependencies[name]}`);
const RUNNERS = ["jest@30.5.2", "mocha@12.0.3", "@types/mocha@10.0.10"];
const MINUTE = 60_000;

/** The arguments with which each runner runs a file. */
const commands: Readonly<Record<string, (file: string) => string[]>> = {
  vitest: (file) => ["node_modules/vitest/vitest.mjs", "run", `${file}.ts`],
  node: (file) => ["--test", `${file}.ts`],
  jest: (file) => ["--experimental-vm-modules", "node_modules/jest/bin/jest.js", "--runTestsByPath", `${file}.js`],
  mocha: (file) => ["node_modules/mocha/bin/mocha.js", `${file}.ts`],
};

const page = readPage("docs/writing-a-store.md");

/** The test files. The page shows those of `store`; the others differ in their import only. */
const tests = ["store", "first-try", "corrected"].flatMap((subject) =>
  Object.keys(commands).map((runner) => `${subject}.${runner}.test.ts`),
);

const consumer = mkdtempSync(join(tmpdir(), "unexpired-runners-"));
const write = (name: string, text: string) => writeFileSync(join(consumer, name), text);

/** Runs a test file and returns its exit code and output. */
async function test(runner: string, subject: string): Promise<{ code: number; printed: string }> {
  const args = commands[runner]?.(`${subject}.${runner}.test`) ?? [];
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  const options = { cwd: consumer, env: { ...env, NO_COLOR: "1" } };
  const { code, stdout, stderr } = await promisify(execFile)(process.execPath, args, options).then(
    (output) => ({ code: 0, ...output }),
    (error) => error,
  );
  return { code, printed: `${stdout}${stderr}` };
}

/** The page's first attempt with the correction that the page gives. */
function corrected(): string {
  const [signature = ""] = block(page, "correction").split("\n");
  const wrong = `${signature.replace(", expected", "")}\n`;
  const fixed = block(page, "first-try.ts").replace(wrong, block(page, "correction"));
  return `import { StoreConflictError } from "@unexpired/core";\n${fixed}`;
}

beforeAll(() => {
  write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
  const { "@unexpired/core": core = "", "@unexpired/testing": testing = "" } = inject("tarballs");
  run("npm", ["install", "--no-audit", "--no-fund", core, testing, ...tools, ...RUNNERS], { cwd: consumer });
  for (const [name, code] of page.blocks) write(basename(name), code);
  write("corrected.ts", corrected());
  for (const name of tests.filter((test) => !page.blocks.has(test))) {
    const [subject = "", ...rest] = name.split(".");
    write(name, block(page, ["store", ...rest].join(".")).replace("./harness.ts", `./${subject}.ts`));
  }
  const options = ["--strict", "--rewriteRelativeImportExtensions", "--module", "nodenext", "--types", "node"];
  const tsc = "node_modules/typescript/bin/tsc";
  run(process.execPath, [tsc, ...options, "--target", "es2023", "--skipLibCheck", ...tests], { cwd: consumer });
}, 5 * MINUTE);

afterAll(() => rmSync(consumer, { recursive: true }), MINUTE);

describe.each(Object.keys(commands))("the kit under %s", (runner) => {
  it("accepts the SQLite store", { timeout: 5 * MINUTE }, async () => {
    const { code, printed } = await test(runner, "store");
    expect(printed).toContain("skipped: notifies watchers of another holder's saves");
    expect(code, printed).toBe(0);
  });

  it("reports the error of the first attempt exactly as the page shows it", { timeout: MINUTE }, async () => {
    const { code, printed } = await test(runner, "first-try");
    // Without the error's name, which each runner shows differently.
    const [, message = ""] = /^```text\nConformanceError: (.*?)\n```/ms.exec(page.text) ?? [];
    for (const line of message.split("\n")) expect(printed).toContain(line);
    expect(code).not.toBe(0);
  });

  it("accepts the corrected attempt", { timeout: MINUTE }, async () => {
    const { code, printed } = await test(runner, "corrected");
    expect(code, printed).toBe(0);
  });
});
