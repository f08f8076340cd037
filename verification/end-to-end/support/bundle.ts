/** Programs that are bundled into one file, as command-line tools are shipped. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { buildSync } from "esbuild";

/** Signs in if there is a refresh token in the environment, and prints the access token. */
export const SESSION_PROGRAM = `
  import { createTokenManager } from "@unexpired/core";
  import { oauth2Refresh } from "@unexpired/core/oauth2";
  import { fileStore } from "@unexpired/store-node";

  async function main({ SESSION_FILE, TOKEN_ENDPOINT, REFRESH_TOKEN }) {
    const refresh = oauth2Refresh({ tokenEndpoint: TOKEN_ENDPOINT, clientId: "bundled" });
    const tokens = createTokenManager({ store: fileStore({ path: SESSION_FILE }), refresh });
    if (REFRESH_TOKEN) await tokens.signIn({ refreshToken: REFRESH_TOKEN });
    console.log((await tokens.getAccessToken()).length > 0 ? "renewed" : "empty");
    await tokens.close();
  }
  main(process.env);
`;

/** The options with which Node kills the program when it has published its claim and still holds the lock. */
export const KILL_AFTER_CLAIM = ["--import", new URL("../fixtures/kill-after-claim.mjs", import.meta.url).href];

/** Bundles `program` into `outfile`, a `.mjs` or `.cjs` file, without further options. */
export function bundle(program: string, { outfile, resolveDir }: { outfile: string; resolveDir: string }): string {
  const format = outfile.endsWith(".mjs") ? "esm" : "cjs";
  buildSync({ stdin: { contents: program, resolveDir }, bundle: true, platform: "node", format, outfile });
  return outfile;
}

/** Runs a program to its end, without the D-Bus session of this process. */
export async function run(
  file: string,
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string>> },
) {
  const { NODE_OPTIONS: _, DBUS_SESSION_BUS_ADDRESS: __, XDG_RUNTIME_DIR: ___, ...rest } = process.env;
  return promisify(execFile)(file, args, { cwd, env: { ...rest, ...env } }).then(
    ({ stdout, stderr }) => ({ stdout, stderr, signal: null }),
    ({ stdout, stderr, signal }) => ({ stdout, stderr, signal }),
  );
}
