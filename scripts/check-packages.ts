/** Checks that the packages agree (package-rules.ts), and that no tracked file names a machine or a registry. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { inexactVersions, packageProblems, textProblems } from "./package-rules.ts";
import { finish, packages, root, trackedFiles } from "./workspace.ts";

const tracked = trackedFiles();
const read = (file: string) => readFileSync(join(root, file), "utf8");
/** Where this machine keeps us; a home such as `/` names nothing. */
const places = [root, homedir()].filter((place) => place.length > 6);
const within = (problems: readonly string[], file: string) => problems.map((problem) => `${file}: ${problem}`);

const perPackage = packages.flatMap(({ folder, manifest }) => {
  const prefix = `packages/${folder}/`;
  const files = tracked.filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length));
  return within(packageProblems({ folder, files, manifest: { ...manifest } }), `packages/${folder}`);
});

const versions = new Set(packages.map(({ manifest }) => manifest.version));
const perWorkspace = tracked
  .filter((file) => /(^|\/)package\.json$/.test(file) && !file.startsWith("packages/"))
  .flatMap((file) => within(inexactVersions(JSON.parse(read(file))), file));

finish("packages", [
  ...perPackage,
  ...perWorkspace,
  ...(versions.size === 1 ? [] : [`give all packages one version (they have ${[...versions].join(", ")})`]),
  ...tracked.flatMap((file) => within(textProblems(read(file), places), file)),
]);
