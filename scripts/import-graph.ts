/** Prints the import graph between the folders of layered packages; fails if an import goes up, or a circle exists. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { drawGraph, importsOf, LAYERED, layerProblems } from "./layers.ts";
import { finish, root } from "./workspace.ts";

const problems = LAYERED.flatMap((layered) => {
  const src = join(root, "packages", layered.package, "src");
  const files = globSync("**/*.ts", { cwd: src })
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
  const sources = new Map(files.map((file) => [file, readFileSync(join(src, file), "utf8")]));
  const imports = importsOf(layered.package, sources);
  console.log(`packages/${layered.package}/src\n${drawGraph(layered, files, imports)}\n`);
  return layerProblems(layered, files, imports).map((problem) => `packages/${layered.package}/src: ${problem}`);
});
finish("import graph", problems);
