/** Programs that are bundled, run in another realm, or end early, and the tools around them. */
import { execFileSync } from "node:child_process";
import { readFileSync, utimesSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createContext, runInContext } from "node:vm";
import { canary } from "@unexpired-internal/test-support/canary";
import { buildSync } from "esbuild";
import { bundle, KILL_AFTER_CLAIM, run, SESSION_PROGRAM } from "../../end-to-end/support/bundle.ts";
import type { Row } from "../row.ts";
import type { Scene } from "../scene.ts";
import { chainOf } from "./file-rows.ts";

const environment = (scene: Scene) => ({ SESSION_FILE: scene.file, TOKEN_ENDPOINT: scene.issuer.tokenEndpoint });

const bundled = (name: string): Row => ({
  situation: `a program bundled into one file (${name}); a killed process has left the lock`,
  expected: { happened: "1 exchange, none presented twice, signed in", saw: /^renewed$/ },
  async run(scene) {
    const program = bundle(SESSION_PROGRAM, { outfile: join(scene.directory, name), resolveDir: scene.packed.folder });
    const cwd = scene.directory;
    const seed = { ...environment(scene), REFRESH_TOKEN: String(scene.issuer.signIn().refreshToken) };
    await run(process.execPath, [...KILL_AFTER_CLAIM, program], { cwd, env: seed });
    utimesSync(join(chainOf(scene), "lock"), 1, 1);
    const { stdout, stderr } = await run(process.execPath, [program], { cwd, env: environment(scene) });
    return { saw: `${stdout}${stderr}`.trim(), happened: scene.exchanges };
  },
});

const KEYCHAIN_PROGRAM = `
  import { keychainOrFile, keychainStore } from "@unexpired/store-keychain";
  const item = { service: "machines", account: "ada", directory: "state" };
  const reason = await keychainStore(item).load().then(() => "found", ({ reason }) => reason);
  const either = keychainOrFile({ ...item, plainTextFile: { path: "plain/session.json" } });
  const saved = await either.save("x", undefined).then(() => "saved", ({ reason, code }) => reason ?? code);
  console.log(reason, saved);
`;

const REALM_PROGRAM = `
  const { createTokenManager } = require("@unexpired/core");
  const { oauth2Refresh } = require("@unexpired/core/oauth2");
  const { fileStore } = require("@unexpired/store-node");
  exports.run = async (path, tokenEndpoint, refreshToken) => {
    const refresh = oauth2Refresh({ tokenEndpoint: new URL(tokenEndpoint), clientId: "realm" });
    const tokens = createTokenManager({ store: fileStore({ path }), refresh });
    await tokens.adopt({ refreshToken });
    await tokens.getAccessToken();
    await tokens.close();
    return new Object() instanceof Object;
  };
`;

/** Runs a bundled program in a realm that has Node's globals, but the language's own. */
function loadInRealm(scene: Scene): { run(...args: string[]): Promise<unknown> } {
  const stdin = { contents: REALM_PROGRAM, resolveDir: scene.packed.folder };
  const { outputFiles } = buildSync({ stdin, bundle: true, platform: "node", format: "cjs", write: false });
  const language = Object.getOwnPropertyNames(runInContext("globalThis", createContext()));
  const ofNode = Object.getOwnPropertyNames(globalThis).filter((name) => !language.includes(name));
  const globals = Object.fromEntries(ofNode.map((name) => [name, Reflect.get(globalThis, name)]));
  const exports = {};
  const program = runInContext(`(require, exports) => {${outputFiles[0]?.text}\n}`, createContext(globals));
  program(createRequire(import.meta.url), exports);
  return exports as { run(...args: string[]): Promise<unknown> };
}

const EARLY_END = `
  import { createTokenManager } from "@unexpired/core";
  import { oauth2Refresh } from "@unexpired/core/oauth2";
  import { fileStore } from "@unexpired/store-node";
  const { SESSION_FILE, TOKEN_ENDPOINT } = process.env;
  const refresh = oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "early" });
  const tokens = createTokenManager({ store: fileStore({ path: SESSION_FILE }), refresh });
  try {
    void tokens.refresh().catch(() => {});
    await new Promise((resolve) => tokens.subscribe(({ type }) => type === "exchange-started" && resolve()));
    throw new Error("the program fails");
  } finally {
    await tokens.close();
  }
`;

export const programRows: readonly Row[] = [
  bundled("program.mjs"),
  bundled("program.cjs"),
  {
    situation: "a bundled program uses a keychain, and neither keychain package is installed",
    expected: { happened: "bundled without flags", saw: /^no_backend saved$/ },
    async run(scene) {
      const outfile = join(scene.directory, "keychain.mjs");
      bundle(KEYCHAIN_PROGRAM, { outfile, resolveDir: scene.packed.folder });
      const { stdout, stderr } = await run(process.execPath, [outfile], { cwd: scene.directory, env: {} });
      return { saw: `${stdout}${stderr}`.trim(), happened: "bundled without flags" };
    },
  },
  {
    situation: "the packages run in another realm (a vm context, as in Jest)",
    expected: { happened: "1 exchange, none presented twice, signed in", saw: "true" },
    async run(scene) {
      const { refreshToken = "" } = scene.issuer.signIn();
      const saw = await loadInRealm(scene).run(scene.file, scene.issuer.tokenEndpoint, refreshToken);
      return { saw: String(saw), happened: scene.exchanges };
    },
  },
  {
    situation: "a program fails during an exchange, and its `finally` closes the manager",
    expected: {
      happened: "2 exchanges, none presented twice, signed in",
      saw: /^Error: the program fails; next: a token$/,
    },
    async run(scene) {
      await scene.signIn();
      scene.issuer.next({ delay: 300 });
      const outfile = join(scene.directory, "early.mjs");
      bundle(EARLY_END, { outfile, resolveDir: scene.packed.folder });
      const { stderr } = await run(process.execPath, [outfile], { cwd: scene.directory, env: environment(scene) });
      const failure = /Error: the program fails/.exec(stderr)?.[0] ?? stderr;
      const next = await (await scene.member()).do("refresh");
      return { saw: `${failure}; next: ${next}`, happened: scene.exchanges };
    },
  },
  {
    situation: '`git add -A` and `npm pack` beside `path: "session.json"`, which `.gitignore` names',
    expected: { happened: "git: .gitignore package.json; npm: package.json", saw: "true" },
    async run(scene) {
      const cwd = dirname(scene.file);
      writeFileSync(join(cwd, ".gitignore"), "session.json\n");
      writeFileSync(join(cwd, "package.json"), '{ "name": "program", "version": "1.0.0" }\n');
      const saw = await scene.open().signIn({ accessToken: canary("access", 1), refreshToken: canary("refresh", 1) });
      const git = (...args: string[]) => execFileSync("git", args, { cwd, encoding: "utf8", stdio: "pipe" });
      git("init", "-q");
      git("add", "-A");
      const staged = git("ls-files").trim().split("\n").join(" ");
      const packed = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd, encoding: "utf8", stdio: "pipe" });
      const [{ files }] = [JSON.parse(packed)].flat().map((each) => (each.files ? each : Object.values(each)[0]));
      const names = files.map(({ path }: { path: string }) => path).join(" ");
      return { saw: String(saw), happened: `git: ${staged}; npm: ${names}` };
    },
  },
];

/** The README's picture of the demo, which must show each line of its recorded run once. */
export const demoRow: Row = {
  situation: "the picture of the demo in the README",
  expected: { happened: "named by the README", saw: "no line is repeated at the end" },
  async run() {
    const root = join(import.meta.dirname, "../../..");
    const picture = /\((\S*demo\S*\.svg)\)|src="(\S*demo\S*\.svg)"/.exec(readFileSync(join(root, "README.md"), "utf8"));
    const name = picture?.[1] ?? picture?.[2];
    if (name === undefined) return { happened: "not in the README", saw: "" };
    const text = readFileSync(join(root, name), "utf8");
    const lines = [...text.matchAll(/<text[^>]*>(.*?)<\/text>/gs)].map(([, line = ""]) =>
      line.replaceAll(/<[^>]*>/g, ""),
    );
    const [last, beforeLast] = [lines.at(-1), lines.at(-2)];
    return {
      happened: "named by the README",
      saw: last === beforeLast ? "the last line is repeated" : "no line is repeated at the end",
    };
  },
};
