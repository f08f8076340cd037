import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { isPermitted } from "./permissions.ts";

/** The second is older than systemd, and still written by D-Bus. */
const ID_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

/**
 * Returns a name for this machine that can be part of a path: it is the same after a restart, and different on every
 * machine that shares a home directory. Both the machine ID and the host name count, because cloned machines often have
 * the same ID. Contains neither of them, since a machine ID is confidential. Returns `undefined` if this program may
 * read neither.
 */
export function machineName(): string | undefined {
  const parts = [machineId(), isPermitted("sys") ? hostname() : ""];
  if (parts.every((part) => part === "")) return undefined;
  return createHash("sha256")
    .update(JSON.stringify(["unexpired", ...parts]))
    .digest("hex")
    .slice(0, 16);
}

function machineId(): string {
  for (const path of ID_FILES.filter((file) => isPermitted("read", file))) {
    try {
      const id = readFileSync(path, "utf8").trim();
      if (/^[0-9a-f]{32}$/.test(id)) return id; // empty or "uninitialized" in images of machines
    } catch {
      // not on this system
    }
  }
  return "";
}
