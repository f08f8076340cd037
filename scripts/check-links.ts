/** Checks that every relative link and anchor in the repository's Markdown resolves, and that docs/README.md is complete. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { linkProblems } from "./links.ts";
import { finish, root, trackedFiles } from "./workspace.ts";

const files = trackedFiles();
const pages = files
  .filter((file) => file.endsWith(".md"))
  .map((file) => [file, readFileSync(join(root, file), "utf8")] as const);

finish("links", linkProblems({ files, pages: new Map(pages) }));
