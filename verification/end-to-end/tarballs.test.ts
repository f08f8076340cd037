/** Tests what users install: the packed tarballs, installed by npm into an empty folder. */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { missingPostgres, PostgresServer } from "@unexpired-internal/engines/postgres";
import { missingRedis, RedisServer } from "@unexpired-internal/engines/redis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { entries, type Manifest, packages, root } from "../../scripts/workspace.ts";
import { asCommonJs, firstProgram, startServers } from "./readme.ts";
import { bundle } from "./support/bundle.ts";
import { bundler, Consumer, nodenext } from "./support/consumer.ts";

let consumer: Consumer;
let database: PostgresServer | undefined;
let redis: RedisServer | undefined;
const specifiers = packages.flatMap((pkg) => entries(pkg).map(([specifier]) => specifier));

/** The one of two optional peers that the README of adapter-mcp uses. */
const README_PEER = "@modelcontextprotocol/client";

/** The clients that the READMEs of store-postgres and store-redis use. */
const README_CLIENTS = ["pg", "@types/pg", "ioredis"];
/** Why the program of a README cannot run here. */
const MISSING: Readonly<Record<string, () => string | undefined>> = {
  "store-postgres": missingPostgres,
  "store-redis": missingRedis,
};

/** The peer dependencies of the adapters, and the compiler, in the versions that we develop with. */
function companions(): string[] {
  const manifests: Partial<Manifest>[] = [JSON.parse(readFileSync(join(root, "package.json"), "utf8"))];
  manifests.push(...packages.map((pkg) => pkg.manifest));
  const versions: Record<string, string> = Object.assign({}, ...manifests.map((manifest) => manifest.devDependencies));
  const peers = manifests.flatMap(({ peerDependencies = {}, peerDependenciesMeta = {} }) =>
    Object.keys(peerDependencies).filter((name) => !peerDependenciesMeta[name]?.optional || name === README_PEER),
  );
  return ["typescript", "@types/node", ...README_CLIENTS, ...peers]
    .filter((name) => !name.startsWith("@unexpired/"))
    .map((name) => `${name}@${versions[name]}`);
}

/** The first program of each README: the name of the file that it is written to, and the README. */
const programs = [["program", "README.md"], ...packages.map(({ folder }) => [folder, `packages/${folder}/README.md`])];

beforeAll(async () => {
  consumer = new Consumer([...Object.values(inject("tarballs")), ...companions()]);
  for (const [name, readme = ""] of programs) {
    consumer.write(`${name}.ts`, firstProgram(readFileSync(join(root, readme), "utf8")));
  }
  consumer.write(
    "all.ts",
    specifiers.map((specifier, index) => `export * as all${index} from "${specifier}";\n`).join(""),
  );
  if (missingPostgres() === undefined) database = await PostgresServer.start();
  if (missingRedis() === undefined) redis = await RedisServer.start();
}, 300_000);

afterAll(() => consumer[Symbol.dispose]());
afterAll(() => database?.[Symbol.asyncDispose]());
afterAll(() => redis?.[Symbol.asyncDispose]());

it.each([nodenext, bundler])("type-checks everything under $moduleResolution", { timeout: 120_000 }, (resolution) => {
  const files = ["all.ts", ...programs.map(([name]) => `${name}.ts`)];
  expect(consumer.typeErrors(files, resolution)).toEqual([]);
});

describe.each(programs)("%s.ts of %s", (name) => {
  const home = () => join(consumer.directory, `${name}-home`);
  const start = async (program: string) => {
    await using servers = await startServers();
    const { stdout } = await consumer.node([program], {
      ...servers.env,
      HOME: home(),
      LOCALAPPDATA: home(),
      DATABASE_URL: database?.url ?? "",
      REDIS_URL: redis?.url ?? "",
    });
    // The program of `testing` is a test.
    return stdout.includes(name === "testing" ? "\u2139 fail 0" : servers.secretOfTheApi);
  };
  beforeEach((ctx) => {
    const missing = MISSING[name ?? ""]?.();
    if (missing !== undefined) ctx.skip(missing);
    mkdirSync(home());
  });
  afterEach(() => {
    rmSync(home(), { recursive: true, force: true });
    rmSync(join(consumer.directory, "session.json"), { force: true });
  });

  it("runs as an ES module", async () => {
    expect(await start(`nodenext/${name}.js`)).toBe(true);
  });

  it("runs as CommonJS", async () => {
    consumer.write(`${name}.cjs`, asCommonJs(readFileSync(join(consumer.directory, "nodenext", `${name}.js`), "utf8")));
    expect(await start(`${name}.cjs`)).toBe(true);
  });
});

it.each(specifiers)('can import "%s"', async (specifier) => {
  consumer.write("import.js", `import * as all from "${specifier}"; console.log(Object.keys(all).length);`);
  expect(Number((await consumer.node(["import.js"])).stdout)).toBeGreaterThan(0);
});

it.each(specifiers)('can require("%s")', async (specifier) => {
  consumer.write("require.cjs", `console.log(Object.keys(require("${specifier}")).length);`);
  expect(Number((await consumer.node(["require.cjs"])).stdout)).toBeGreaterThan(0);
});

it.each(["formats.mjs", "formats.cjs"])("can bundle the session formats into %s", async (name) => {
  const program = `
    import { jsonFormat } from "@unexpired/store-node";
    const format = jsonFormat({ fields: { accessToken: "token" } });
    console.log(format.print(undefined, '{"token":"a","b":1}'));
  `;
  const outfile = bundle(program, { outfile: join(consumer.directory, name), resolveDir: consumer.directory });
  expect((await consumer.node([outfile])).stdout).toBe('{"b":1}\n');
});
