/**
 * Performs every situation of real machines on the packed packages, and prints a table: the situation, what happened, and
 * what the caller saw. `pnpm show:machines [words]` runs the rows whose situation contains the words. A row that shows
 * anything but the right value is marked, and makes the command fail.
 */
import { spawnSync } from "node:child_process";
import { chmodSync } from "node:fs";
import { parseArgs } from "node:util";
import { installPacked } from "@unexpired-internal/tables/installed";
import { show } from "@unexpired-internal/tables/show";
import { RUNTIMES } from "../end-to-end/support/runtimes.ts";
import { loadPacked } from "./packed.ts";
import { groups } from "./rows/groups.ts";
import { Scene } from "./scene.ts";

const { values, positionals } = parseArgs({
  options: { installed: { type: "string" }, private: { type: "boolean", default: false } },
  allowPositionals: true,
});

/** Runs this program again with mounts that only it sees, if this user may mount. */
function runWithPrivateMounts(): number | undefined {
  if (values.private || process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const options = ["--mount", "--propagation", "private"];
  if (spawnSync("unshare", [...options, "true"]).status !== 0) return undefined;
  const self = [process.execPath, import.meta.filename, "--private", ...process.argv.slice(2)];
  return spawnSync("unshare", [...options, ...self], { stdio: "inherit" }).status ?? 1;
}

const PACKAGES = ["core", "store-node", "store-keychain", "testing"];
const COLUMNS = ["situation", "what happened", "what the caller saw"] as const;

function install() {
  const consumer = installPacked(PACKAGES, ["--ignore-scripts", ...RUNTIMES]);
  chmodSync(consumer.directory, 0o755); // some rows run as another user
  return consumer;
}

async function main(): Promise<number> {
  const folder = values.installed;
  const consumer = folder === undefined ? install() : undefined;
  const packed = await loadPacked(consumer?.directory ?? folder ?? "");
  const status = await show({ columns: COLUMNS, groups, createPlace: () => Scene.create(packed) }, positionals);
  consumer?.[Symbol.dispose]();
  return status;
}

const status = runWithPrivateMounts();
process.exit(status ?? (await main())); // a row that was given up may have left timers
