import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packAll } from "../../scripts/pack.ts";
import { Consumer } from "../end-to-end/support/consumer.ts";

/** Packs these packages, without their scope, and installs them with npm. `others` are further arguments of npm. */
export function installPacked(names: readonly string[], others: readonly string[]): Consumer {
  const directory = mkdtempSync(join(tmpdir(), "unexpired-packed-"));
  try {
    const tarballs = packAll(directory);
    return new Consumer([...names.map((name) => tarballs.get(`@unexpired/${name}`) ?? ""), ...others]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
