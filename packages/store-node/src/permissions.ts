interface Deno {
  readonly permissions?: {
    querySync?(descriptor: { readonly name: string; readonly path?: string | undefined }): { readonly state: string };
  };
}

/**
 * Whether this program may use something without asking: `read` a path, or use all of `sys` or `run`. Deno interrupts
 * the program to ask its user for a missing permission, and Node's permission model throws.
 */
export function isPermitted(name: "read" | "run" | "sys", path?: string): boolean {
  const deno = Reflect.get(globalThis, "Deno") as Deno | undefined;
  const answer = deno?.permissions?.querySync?.({ name, path });
  if (answer) return answer.state === "granted";
  return name !== "read" || (process.permission?.has("fs.read", path) ?? true);
}
