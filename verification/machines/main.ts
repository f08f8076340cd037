/**
 * Performs every situation of real machines on the packed packages, and prints a table: the situation, what happened, and
 * what the caller saw. `pnpm show:machines [words]` runs the rows whose situation contains the words. A row that shows
 * anything but the right value is marked, and makes the command fail.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packAll } from "../../scripts/pack.ts";
import { Consumer } from "../end-to-end/support/consumer.ts";
import { RUNTIMES } from "../end-to-end/support/runtimes.ts";
import { CANARY } from "../test-support/canary.ts";
import { deferred } from "./deferred.ts";
import { loadPacked, type Packed } from "./packed.ts";
import { isRight, type Row, type Shown } from "./row.ts";
import { groups } from "./rows/groups.ts";
import { Scene } from "./scene.ts";
import { type Line, printGroup } from "./table.ts";

const { values, positionals } = parseArgs({
  options: { installed: { type: "string" }, private: { type: "boolean", default: false } },
  allowPositionals: true,
});
const LIMIT = 60_000; // ms for one row

/** Runs this program again with mounts that only it sees, if this user may mount. */
function runWithPrivateMounts(): number | undefined {
  if (values.private || process.platform !== "linux" || process.getuid?.() !== 0) return undefined;
  const options = ["--mount", "--propagation", "private"];
  if (spawnSync("unshare", [...options, "true"]).status !== 0) return undefined;
  const self = [process.execPath, import.meta.filename, "--private", ...process.argv.slice(2)];
  return spawnSync("unshare", [...options, ...self], { stdio: "inherit" }).status ?? 1;
}

/** Packs the packages and installs them with npm. */
function installPacked(): Consumer {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-packed-"));
  try {
    const tarballs = packAll(directory);
    const names = ["core", "store-node", "store-keychain", "testing"].map((name) => `@unexpired/${name}`);
    const files = names.map((name) => tarballs.get(name) ?? "");
    const consumer = new Consumer([...files, "--ignore-scripts", ...RUNTIMES]);
    chmodSync(consumer.directory, 0o755); // some rows run as another user
    return consumer;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function show(row: Row, packed: Packed): Promise<Line> {
  const reason = row.unable?.();
  if (reason !== undefined) return { ...row, verdict: "not run", happened: `not run: ${reason}`, saw: "" };
  const began = performance.now();
  const scene = await Scene.create(packed);
  const shown = await runWithin(row, scene);
  await scene[Symbol.asyncDispose]();
  const seconds = (performance.now() - began) / 1000;
  const tidied = { happened: scene.tidy(shown.happened), saw: scene.tidy(shown.saw) };
  const isLeaking = `${tidied.happened} ${tidied.saw}`.includes(CANARY);
  const verdict = isRight(tidied, row.expected) && !isLeaking ? "right" : "wrong";
  return { situation: row.situation, expected: row.expected, ...tidied, verdict, seconds };
}

async function runWithin(row: Row, scene: Scene): Promise<Shown> {
  const { promise, resolve } = deferred<Shown>();
  const timer = setTimeout(resolve, LIMIT, { happened: scene.exchanges, saw: `nothing within ${LIMIT / 1000} s` });
  const failed = (error: unknown): Shown => ({ happened: scene.exchanges, saw: `the row failed: ${error}` });
  return Promise.race([row.run(scene).catch(failed), promise]).finally(() => clearTimeout(timer));
}

async function main(): Promise<number> {
  const folder = values.installed;
  const consumer = folder === undefined ? installPacked() : undefined;
  const packed = await loadPacked(consumer?.directory ?? folder ?? "");
  const lines: Line[] = [];
  for (const { title, rows } of groups) {
    const chosen = rows.filter(({ situation }) => positionals.every((word) => situation.includes(word)));
    const shown: Line[] = [];
    for (const row of chosen) shown.push(await show(row, packed));
    if (shown.length > 0) printGroup(title, shown);
    lines.push(...shown);
  }
  consumer?.[Symbol.dispose]();
  const count = (verdict: Line["verdict"]) => lines.filter((line) => line.verdict === verdict).length;
  console.log(`\n${count("right")} rows right, ${count("wrong")} wrong, ${count("not run")} not run`);
  return count("wrong") > 0 ? 1 : 0;
}

const status = runWithPrivateMounts();
process.exit(status ?? (await main())); // a row that was given up may have left timers
