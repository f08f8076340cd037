interface Deno {
  readonly permissions?: {
    querySync?(descriptor: { readonly name: string; readonly path?: string | undefined }): { readonly state: string };
  };
}

/**
 * Whether this program may `read` a path, or use all of `env`, `sys` or `run`, without asking. Deno interrupts
 * the program to ask its user for a missing permission, and Node's permission model throws.
 */
export function isPermitted(name: "env" | "read" | "run" | "sys", path?: string): boolean {
  const deno = Reflect.get(globalThis, "Deno") as Deno | undefined;
  const status = deno?.permissions?.querySync?.({ name, path });
  if (status) return status.state === "granted";
  return name !== "read" || (process.permission?.has("fs.read", path) ?? true);
}
