/** What is tested last is what people install: the packed tarballs, installed by npm alone into an empty folder. */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { entries, type Manifest, packages, root, run } from "../scripts/workspace.ts";
import { asCommonJs, firstProgram, startServers } from "./readme.ts";

const consumer = mkdtempSync(join(tmpdir(), "unexpired-consumer-"));
const specifiers = packages.flatMap((pkg) => entries(pkg).map(([specifier]) => specifier));
const write = (name: string, text: string) => writeFileSync(join(consumer, name), text);
const node = (args: string[], cwd = consumer, env = {}) =>
  promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, ...env } });

/** The clients that the adapters are peers of, and the compiler, in the versions that we develop with. */
function companions(): string[] {
  const manifests: Partial<Manifest>[] = [JSON.parse(readFileSync(join(root, "package.json"), "utf8"))];
  manifests.push(...packages.map((pkg) => pkg.manifest));
  const versions: Record<string, string> = Object.assign({}, ...manifests.map((manifest) => manifest.devDependencies));
  const peers = manifests.flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies));
  return ["typescript", "@types/node", ...peers]
    .filter((name) => !name.startsWith("@unexpired/"))
    .map((name) => `${name}@${versions[name]}`);
}

/** The type errors in what we wrote. Those in other packages' declarations are theirs (ofetch's want undici). */
function typeErrors(resolution: { module: string; moduleResolution: string; outDir: string }): string[] {
  const options = { target: "es2023", types: "node", ...resolution };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const tsc = [
    "node_modules/typescript/bin/tsc",
    "--strict",
    ...args,
    ...programs.map(([name]) => `${name}.ts`),
    "all.ts",
  ];
  const { stdout } = spawnSync(process.execPath, tsc, { cwd: consumer, encoding: "utf8" });
  return stdout
    .split("\n")
    .filter((line) => line.includes("error TS") && !/^node_modules\/(?!@unexpired\/)/.test(line));
}

/** The first program of each README, under the name of the file that it is written to. */
const programs = [["program", "README.md"], ...packages.map(({ folder }) => [folder, `packages/${folder}/README.md`])];

beforeAll(() => {
  write("package.json", JSON.stringify({ name: "consumer", private: true, type: "module" }));
  run("npm", ["install", "--no-audit", "--no-fund", ...Object.values(inject("tarballs")), ...companions()], {
    cwd: consumer,
  });
  for (const [name, readme = ""] of programs) {
    write(`${name}.ts`, firstProgram(readFileSync(join(root, readme), "utf8")));
  }
  write("all.ts", specifiers.map((specifier, index) => `export * as all${index} from "${specifier}";\n`).join(""));
}, 300_000);

afterAll(() => rmSync(consumer, { recursive: true }));

const nodenext = { module: "nodenext", moduleResolution: "nodenext", outDir: "nodenext" };
const bundler = { module: "esnext", moduleResolution: "bundler", outDir: "bundler" };

test.each([nodenext, bundler])("everything type-checks under $moduleResolution", { timeout: 120_000 }, (resolution) => {
  expect(typeErrors(resolution)).toEqual([]);
});

describe.each(programs)("%s.ts of %s", (name) => {
  const home = join(consumer, `${name}-home`);
  const start = async (program: string) => {
    await using servers = await startServers();
    const { stdout } = await node([program], consumer, { ...servers.env, HOME: home, LOCALAPPDATA: home });
    return stdout.includes(name === "testing" ? "\u2139 fail 0" : servers.secretOfTheApi); // that one is a test
  };
  beforeEach(() => mkdirSync(home));
  afterEach(() => {
    rmSync(home, { recursive: true });
    rmSync(join(consumer, "session.json"), { force: true });
  });

  test("runs by import", async () => {
    expect(await start(`nodenext/${name}.js`)).toBe(true);
  });

  test("runs by require", async () => {
    write(`${name}.cjs`, asCommonJs(readFileSync(join(consumer, "nodenext", `${name}.js`), "utf8")));
    expect(await start(`${name}.cjs`)).toBe(true);
  });
});

test.each(specifiers)('import "%s"', async (specifier) => {
  write("import.js", `import * as all from "${specifier}"; console.log(Object.keys(all).length);`);
  expect(Number((await node(["import.js"])).stdout)).toBeGreaterThan(0);
});

test.each(specifiers)('require("%s")', async (specifier) => {
  write("require.cjs", `console.log(Object.keys(require("${specifier}")).length);`);
  expect(Number((await node(["require.cjs"])).stdout)).toBeGreaterThan(0);
});
