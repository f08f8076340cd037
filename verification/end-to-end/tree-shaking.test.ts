/** Tests that a bundler leaves out what a program does not use. */
import { build } from "esbuild";
import { expect, it } from "vitest";

async function bundle(program: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: program, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    legalComments: "none",
    minify: true,
  });
  return outputFiles[0]?.text ?? "";
}

it("leaves out the profiles of providers", async () => {
  const has = async (name: string) =>
    (await bundle(`export { ${name} } from "@unexpired/core";`)).includes("AADSTS50196");
  expect(await has("providers")).toBe(true);
  expect(await has("createTokenManager")).toBe(false);
});

it("leaves out the formats of other programs' documents", async () => {
  const has = async (name: string) =>
    (await bundle(`export { ${name} } from "@unexpired/store-node";`)).includes("is not an ISO 8601 time");
  expect(await has("jsonFormat")).toBe(true);
  expect(await has("fileStore")).toBe(false);
});
