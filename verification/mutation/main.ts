/** `pnpm mutation`: see README.md. */
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { Stryker } from "@stryker-mutator/core";
import { compare, type Survivors } from "./survivors.ts";

const { values } = parseArgs({
  options: { mutate: { type: "string" } },
  allowPositionals: true, // pnpm passes `--` on
});
const root = join(import.meta.dirname, "../..");
process.chdir(root); // Stryker uses the working directory as the project

const results = await new Stryker({
  configFile: "verification/mutation/stryker.config.json",
  ...(values.mutate === undefined ? {} : { mutate: values.mutate.split(",") }),
}).runMutationTest();

const { unexplained, gone } = compare(
  results.map((result) => ({ ...result, file: relative(root, result.fileName).replaceAll("\\", "/") })),
  JSON.parse(readFileSync(join(import.meta.dirname, "survivors.json"), "utf8")) as Survivors,
  (file) => readFileSync(join(root, file), "utf8"),
);
for (const line of gone) console.log(`No longer survives (survivors.json): ${line}`);
for (const line of unexplained) console.log(`Survives without an explanation in survivors.json: ${line}`);
console.log(
  unexplained.length === 0
    ? "Every survivor is explained."
    : `${unexplained.length} survivors are not explained. See README.md.`,
);
process.exitCode = unexplained.length === 0 ? 0 : 1;
