import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { CountsReporter } from "./scripts/counts-reporter.ts";

interface Extra {
  /** Default: all tests below the root. */
  readonly include?: string[];
  readonly exhaustive?: string[] | undefined;
  readonly globalSetup?: string[];
  /** Other versions of a client in place of the one that is installed under its own name. */
  readonly alias?: Readonly<Record<string, string>>;
}

const isExhaustive = process.env.UNEXPIRED_EXHAUSTIVE === "1";
/** The names of the projects and test files that this run leaves out. */
const leftOut: string[] = [];

function project(
  name: string,
  root: string,
  { include = ["**/*.test.ts"], exhaustive = [], globalSetup = [], alias = {} }: Extra = {},
) {
  const skipped = isExhaustive ? [] : exhaustive;
  leftOut.push(...skipped.map((file) => `${root}/${file}`));
  return {
    resolve: {
      alias: Object.entries(alias).map(([find, replacement]) => ({ find: new RegExp(`^${find}$`), replacement })),
    },
    test: { name, root, include, exclude: ["**/node_modules/**", ...skipped], testTimeout: 30_000, globalSetup },
  };
}

/** Packs the packages once, for the tests that install the tarballs. */
const PACK = "verification/end-to-end/support/pack.ts";

/** The files that run only with `UNEXPIRED_EXHAUSTIVE=1`, as in `.ci/run`: together they take minutes. */
const EXHAUSTIVE: Readonly<Record<string, string[]>> = {
  "end-to-end": [
    "axios-classes.test.ts",
    "callers.test.ts",
    "client-versions.test.ts",
    "foreign-programs.test.ts",
    "keychain-install.test.ts",
    "kit-runners.test.ts",
    "migration.test.ts",
    "runtimes.test.ts",
    "servers-page.test.ts",
    "sign-in-processes.test.ts",
    "stopped-holder.test.ts",
    "tarballs.test.ts",
  ],
  "store-keychain": [
    "tests/documents/real-secret-service.test.ts",
    "tests/documents/store-contract.test.ts",
    "tests/file-fallback/crashes.test.ts",
    "tests/file-fallback/store-contract.test.ts",
    "tests/real-keychain/keytar.test.ts",
    "tests/real-keychain/napi-rs.test.ts",
    "tests/real-keychain/two-packages.test.ts",
    "tests/storage/crashes.test.ts",
    "tests/store-contract-bytes.test.ts",
    "tests/store-contract-utf16.test.ts",
  ],
  "sqlite-store": ["sqlite-store.test.ts"],
  "store-postgres": [
    "tests/contract-pg.test.ts",
    "tests/contract-postgres.test.ts",
    "tests/notifications.test.ts",
    "tests/readme.test.ts",
  ],
  servers: ["queue.test.ts", "serverless.test.ts", "servers.test.ts"],
  "store-redis": [
    "tests/contract-ioredis.test.ts",
    "tests/contract-redis.test.ts",
    "tests/failover.test.ts",
    "tests/hosts.test.ts",
    "tests/outages.test.ts",
    "tests/readme.test.ts",
  ],
  testing: ["tests/adapters/mutants.test.ts", "tests/mutants.test.ts"],
};

/** A package's tests, and once more for each other version of its client: `"axios-oldest": "npm:axios@1.0.0"`. */
function projectsOf(name: string) {
  const root = join("packages", name);
  const { devDependencies = {} } = JSON.parse(readFileSync(join(import.meta.dirname, root, "package.json"), "utf8"));
  const client = name.replace("adapter-", "");
  const others = Object.keys(devDependencies).filter((dependency) =>
    devDependencies[dependency].startsWith(`npm:${client}@`),
  );
  const versions = isExhaustive ? others : [];
  if (!isExhaustive) leftOut.push(...others.map((version) => `${name} on ${version}`));
  return [
    project(name, root, { exhaustive: EXHAUSTIVE[name] }),
    ...versions.map((version) => project(`${name} on ${version}`, root, { alias: { [client]: version } })),
  ];
}

/** The oldest versions of both lines of MCP's SDK that we support, as verification/mcp-support installs them. */
const OLDEST_SDKS: Readonly<Record<string, string>> = {
  "@modelcontextprotocol/client": "mcp-client-oldest",
  ...Object.fromEntries(
    ["auth.js", "index.js", "streamableHttp.js"].map((file) => [
      `@modelcontextprotocol/sdk/client/${file}`,
      `mcp-sdk-oldest/client/${file}`,
    ]),
  ),
};

/** The adapter's tests with them. */
function projectsOnOldestSdks() {
  const name = "adapter-mcp on the oldest SDKs";
  if (isExhaustive) return [project(name, "packages/adapter-mcp", { alias: OLDEST_SDKS })];
  leftOut.push(name);
  return [];
}

/** The larger examples: a folder with a package.json each. */
const examples = readdirSync(join(import.meta.dirname, "examples")).filter((name) =>
  existsSync(join(import.meta.dirname, "examples", name, "package.json")),
);

export default defineConfig({
  test: {
    // By default vitest leaves one core unused: of two, that is half.
    maxWorkers: "100%",
    reporters: ["default", new CountsReporter(leftOut)],
    projects: [
      ...readdirSync(join(import.meta.dirname, "packages")).flatMap(projectsOf),
      ...projectsOnOldestSdks(),
      project("examples", "examples", { include: ["*.test.ts"] }),
      ...examples.map((name) => project(name, `examples/${name}`, { exhaustive: EXHAUSTIVE[name] })),
      project("scripts", "scripts"),
      project("fault-injection", "verification/fault-injection"),
      project("mutation", "verification/mutation"),
      project("load", "verification/load"),
      project("simulation", "verification/simulation"),
      project("end-to-end", "verification/end-to-end", {
        exhaustive: EXHAUSTIVE["end-to-end"],
        globalSetup: isExhaustive ? [join(import.meta.dirname, PACK)] : [],
      }),
    ],
  },
});
