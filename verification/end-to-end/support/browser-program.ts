import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const USER = join(import.meta.dirname, "../fixtures/user.ts");

/** Writes a program for the variable `BROWSER` into a folder: it plays the user (fixtures/user.ts). */
export function writeBrowser(folder: string, issuer: string, decision: "accept" | "refuse" = "accept"): string {
  const file = join(folder, `browser-${decision}`);
  writeFileSync(file, `#!/bin/sh\nexec "${process.execPath}" "${USER}" "${issuer}" ${decision} "$1"\n`);
  chmodSync(file, 0o700);
  return file;
}
