import { dirname, join } from "node:path";
import { type FileSystem, type Lock, makeDurableDirectory, withAdvisoryLock } from "@unexpired/store-node/chain";
import { digestOfNames, type KeychainSettings } from "../options.ts";

/**
 * Runs `update` while no other process of this library updates the item; all entries of an item have one lock. Advisory: it
 * only saves wasted work, so it waits for a fraction of a second at most, and then runs `update` anyway.
 */
export async function withItemLock(
  { fs, lock }: { readonly fs: FileSystem; readonly lock: Lock },
  { statusFile, service, account }: KeychainSettings,
  update: () => Promise<void>,
): Promise<void> {
  const directory = join(dirname(statusFile), `.${digestOfNames(service, account)}.item`);
  await makeDurableDirectory(fs, directory);
  await withAdvisoryLock(lock, directory, update);
}
