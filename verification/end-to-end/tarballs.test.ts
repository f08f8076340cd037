/** What is tested last is what people install: the packed tarballs, installed by npm alone into an empty folder. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { entries, type Manifest, packages, root } from "../../scripts/workspace.ts";
import { asCommonJs, firstProgram, startServers } from "./readme.ts";
import { bundler, Consumer, nodenext } from "./support/consumer.ts";

let consumer: Consumer;
const specifiers = packages.flatMap((pkg) => entries(pkg).map(([specifier]) => specifier));

/** The clients that the adapters are peers of, and the compiler, in the versions that we develop with. */
function companions(): string[] {
  const manifests: Partial<Manifest>[] = [JSON.parse(readFileSync(join(root, "package.json"), "utf8"))];
  manifests.push(...packages.map((pkg) => pkg.manifest));
  const versions: Record<string, string> = Object.assign({}, ...manifests.map((manifest) => manifest.devDependencies));
  const peers = manifests.flatMap(({ peerDependencies = {}, peerDependenciesMeta = {} }) =>
    Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional),
  );
  return ["typescript", "@types/node", ...peers]
    .filter((name) => !name.startsWith("@unexpired/"))
    .map((name) => `${name}@${versions[name]}`);
}

/** The first program of each README, under the name of the file that it is written to. */
const programs = [["program", "README.md"], ...packages.map(({ folder }) => [folder, `packages/${folder}/README.md`])];

beforeAll(() => {
  consumer = new Consumer([...Object.values(inject("tarballs")), ...companions()]);
  for (const [name, readme = ""] of programs) {
    consumer.write(`${name}.ts`, firstProgram(readFileSync(join(root, readme), "utf8")));
  }
  consumer.write(
    "all.ts",
    specifiers.map((specifier, index) => `export * as all${index} from "${specifier}";\n`).join(""),
  );
}, 300_000);

afterAll(() => consumer[Symbol.dispose]());

test.each([nodenext, bundler])("everything type-checks under $moduleResolution", { timeout: 120_000 }, (resolution) => {
  const files = ["all.ts", ...programs.map(([name]) => `${name}.ts`)];
  expect(consumer.typeErrors(files, resolution)).toEqual([]);
});

describe.each(programs)("%s.ts of %s", (name) => {
  const home = () => join(consumer.directory, `${name}-home`);
  const start = async (program: string) => {
    await using servers = await startServers();
    const { stdout } = await consumer.node([program], { ...servers.env, HOME: home(), LOCALAPPDATA: home() });
    return stdout.includes(name === "testing" ? "\u2139 fail 0" : servers.secretOfTheApi); // that one is a test
  };
  beforeEach(() => mkdirSync(home()));
  afterEach(() => {
    rmSync(home(), { recursive: true });
    rmSync(join(consumer.directory, "session.json"), { force: true });
  });

  test("runs by import", async () => {
    expect(await start(`nodenext/${name}.js`)).toBe(true);
  });

  test("runs by require", async () => {
    consumer.write(`${name}.cjs`, asCommonJs(readFileSync(join(consumer.directory, "nodenext", `${name}.js`), "utf8")));
    expect(await start(`${name}.cjs`)).toBe(true);
  });
});

test.each(specifiers)('import "%s"', async (specifier) => {
  consumer.write("import.js", `import * as all from "${specifier}"; console.log(Object.keys(all).length);`);
  expect(Number((await consumer.node(["import.js"])).stdout)).toBeGreaterThan(0);
});

test.each(specifiers)('require("%s")', async (specifier) => {
  consumer.write("require.cjs", `console.log(Object.keys(require("${specifier}")).length);`);
  expect(Number((await consumer.node(["require.cjs"])).stdout)).toBeGreaterThan(0);
});
