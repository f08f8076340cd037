/** The program that owns the document. It rewrites the document again and again, with its next number. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withWrites, writesIn } from "./documents.ts";

const [, , path = ""] = process.argv;
const PAUSE = 20;
const THOUGHT = 2;

let writes = 0;
let lost = 0;
let torn = 0;
let isEnding = false;
process.on("message", () => {
  isEnding = true;
});
process.on("disconnect", () => process.exit());

while (!isEnding) {
  await rewrite();
  await sleep(PAUSE);
}
const text = await readComplete();
if (writesIn(text) < writes) lost++;
process.send?.({ writes, lost, torn });
process.disconnect();

async function rewrite(): Promise<void> {
  const found = await readComplete();
  if (writesIn(found) < writes) lost++;
  await sleep(THOUGHT);
  const next = withWrites(found, writes + 1);
  writeFileSync(`${path}.foreign`, next, { mode: 0o600 });
  renameSync(`${path}.foreign`, path);
  writes++;
}

/** Reads the document, and waits while it is not complete, because a process writes it in place. */
async function readComplete(): Promise<string> {
  for (;;) {
    const found = readFileSync(path, "utf8");
    if (isComplete(found) || isEnding) return found;
    torn++;
    await sleep(PAUSE);
  }
}

function isComplete(found: string): boolean {
  try {
    JSON.parse(found);
    return true;
  } catch {
    return false;
  }
}
