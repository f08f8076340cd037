/** Tests the packed adapter for axios beside several copies of axios in one program, in both module systems. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, it } from "vitest";
import { type Manifest, root } from "../../scripts/workspace.ts";
import { Consumer } from "./support/consumer.ts";

/** Prints, for each copy, whether the errors are of its own class and show no token, and whether the headers are its own. */
const PROGRAM = `
  async function main() {
    const tokens = createTokenManager();
    await tokens.signIn({ accessToken: "canary-access" });
    for (const axios of [newest, oldest]) {
      const reply = async (config) => ({ status: 200, headers: {}, data: "{}", config, sent: config.headers.get("Authorization") });
      for (const options of [{}, { adapter: reply }]) {
        const api = axios.create({ baseURL: "http://127.0.0.1:1", ...options });
        const before = await api.get("/").catch((error) => error);
        attachTokens(api, tokens);
        const after = await api.get("/").catch((error) => error);
        console.log(JSON.stringify({
          version: axios.VERSION,
          sent: after.sent ?? after.code,
          isOwnError: options.adapter ? undefined : after instanceof axios.AxiosError,
          isSameClass: after.constructor === before.constructor,
          hasOwnHeaders: after.config.headers.constructor === before.config.headers.constructor,
          isRevealed: /canary/.test(inspect([after.config, after.message, after.request], { depth: null }) + JSON.stringify(after.config)),
        }));
      }
    }
  }
  main();
`;

const IMPORTS: Readonly<Record<string, string>> = {
  "program.cjs": `
    const { createTokenManager } = require("@unexpired/core");
    const { attachTokens } = require("@unexpired/adapter-axios");
    const newest = require("axios");
    const oldest = require("axios-oldest");
    const { inspect } = require("node:util");
  `,
  "program.mjs": `
    import { createTokenManager } from "@unexpired/core";
    import { attachTokens } from "@unexpired/adapter-axios";
    import newest from "axios";
    import oldest from "axios-oldest";
    import { inspect } from "node:util";
  `,
};

const manifest = readFileSync(join(root, "packages/adapter-axios/package.json"), "utf8");
const { devDependencies: { axios: newest = "", "axios-oldest": oldest = "" } = {} }: Partial<Manifest> =
  JSON.parse(manifest);

let consumer: Consumer;

beforeAll(() => {
  const tarballs = ["core", "adapter-axios"].map((name) => inject("tarballs")[`@unexpired/${name}`] ?? "");
  const copies = [`axios@${newest}`, `axios-oldest@${oldest}`];
  consumer = new Consumer([...tarballs, ...copies]);
}, 120_000);

afterAll(() => consumer[Symbol.dispose]());

it.each(Object.entries(IMPORTS))("keeps the classes of each copy: %s", async (name, imports) => {
  consumer.write(name, imports + PROGRAM);
  const { stdout } = await consumer.node([name]);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const own = { isSameClass: true, hasOwnHeaders: true, isRevealed: false };
  const expected = [newest, oldest.replace("npm:axios@", "")].flatMap((version) => [
    { version, sent: "ECONNREFUSED", isOwnError: true, ...own },
    { version, sent: "Bearer canary-access", ...own },
  ]);
  expect(lines).toEqual(expected);
});

it("installs the adapter without a copy of axios of its own", () => {
  const code = readFileSync(join(consumer.directory, "node_modules/@unexpired/adapter-axios/dist/index.js"), "utf8");
  expect(code).not.toMatch(/(from|import|require)\W+axios/);
});
