/** The files of a pool of profiles, each in the format of another program, that hold one session. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SessionFormat } from "@unexpired/core";
import { jsonFormat } from "@unexpired/store-node";

const inPool = jsonFormat({
  at: ["credential_pool", "anthropic", { where: { id: "34ee18" } }],
  fields: {
    accessToken: "access_token",
    refreshToken: "refresh_token",
    expiresAt: { path: "expires_at", unit: "s" },
    obtainedAt: { path: ["last_refresh"], unit: "iso" },
  },
});

const ofAgent = jsonFormat({
  at: ["claudeAiOauth"],
  fields: {
    accessToken: "accessToken",
    refreshToken: "refreshToken",
    expiresAt: "expiresAt",
    scope: { path: "scopes", unit: "array" },
  },
});

/** A file: its format, and its text before the session is in it. */
interface PoolFile {
  readonly name: string;
  readonly format: SessionFormat;
  readonly text: string;
}

const POOL = `{
  "version": 1,
  "credential_pool": {
    "anthropic": [
      { "id": "c0ffee", "label": "api key", "api_key": "not-ours", "priority": 0 }
    ]
  }
}
`;

const AGENT = `{
  // settings of the agent
  "theme": "dark",
}
`;

export const POOL_FILES: readonly PoolFile[] = [
  ...["work", "home", "ci"].map((profile) => ({ name: `profiles/${profile}/auth.json`, format: inPool, text: POOL })),
  { name: ".claude/.credentials.json", format: ofAgent, text: AGENT },
];

/** Creates the files in a directory. */
export function createPoolFiles(directory: string): void {
  for (const { name, text } of POOL_FILES) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

/** Returns the access token in each file. A file that is being replaced, or holds no session, has none. */
export const tokensIn = (directory: string): readonly (string | undefined)[] =>
  POOL_FILES.map(({ name, format }) => format.parse(readFileSync(join(directory, name), "utf8"))?.tokens.accessToken);

/** Puts a session into one of the files, as its own program does. */
export function writeSession(directory: string, index: number, tokens: Parameters<typeof print>[1]): void {
  const file = POOL_FILES[index];
  if (!file) throw new Error(`there is no file ${index}`);
  const path = join(directory, file.name);
  writeFileSync(path, print(file.format, tokens, readFileSync(path, "utf8")));
}

const print = (
  format: SessionFormat,
  tokens: { readonly accessToken: string; readonly refreshToken: string; readonly expiresAt: number },
  found: string,
): string => {
  const session = { tokens: { tokenType: "Bearer", extra: {}, ...tokens }, obtainedAt: Date.now() };
  return format.print(session, found) ?? "";
};
