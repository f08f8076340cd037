import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager, type ProviderProfile } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { type Api, startApi } from "../../examples/demo/api.ts";
import { type AuthorizationServer, startAuthorizationServer } from "../../examples/demo/authorization-server.ts";
import { startGraceServer } from "../end-to-end/support/grace-server.ts";
import { NOBODY } from "./rights.ts";

const SMALL_DISK = "size=128k";

/** What the processes know of the authorization server, which is like that. */
export const PROFILES = {
  generic: {},
  grace: { graceSeconds: 30, replayReturns: "same" },
  "sign-in": { afterLoss: "sign-in" },
} as const satisfies Record<string, Partial<ProviderProfile>>;

export type ProfileName = keyof typeof PROFILES;

type Server = Omit<AuthorizationServer, "issuer">;

/** One authorization server, one API, and one expired session in a directory of its own. */
export interface Scene extends AsyncDisposable {
  readonly server: Server;
  readonly api: Api;
  /** The session's directory is in it. */
  readonly root: string;
  readonly sessionPath: string;
  /** The processes run as an account without rights. */
  readonly isWithoutRights: boolean;
  /** Tokens that nobody may print. */
  readonly tokens: Set<string>;
}

export interface SceneOptions {
  readonly latency: number;
  readonly accessTokenSeconds: number;
  readonly profile: ProfileName;
  /** The session is on a small file system of its own. */
  readonly isSmallDisk: boolean;
  /** The session belongs to an account without rights. */
  readonly isWithoutRights: boolean;
}

export async function setScene(options: SceneOptions): Promise<Scene> {
  const { isSmallDisk, isWithoutRights } = options;
  const root = mkdtempSync(join(tmpdir(), "unexpired-faults-"));
  if (isSmallDisk) execFileSync("mount", ["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", root]);
  const sessionPath = join(root, "home", "session.json");
  mkdirSync(join(root, "home"), { mode: 0o700 });
  const server = options.profile === "grace" ? await startLenientServer() : await startAuthorizationServer(options);
  const api = await startApi(server.verify);
  const tokens = await signInExpired(sessionPath, server);
  if (isWithoutRights) for (const path of [root, ...filesIn(root)]) chownSync(path, NOBODY, NOBODY);
  return {
    server,
    api,
    root,
    sessionPath,
    tokens,
    isWithoutRights,
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(), api.close()]);
      if (isSmallDisk) execFileSync("umount", ["-l", root]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** `oidc-provider` knows no grace. */
async function startLenientServer(): Promise<Server> {
  const { graceSeconds: seconds, replayReturns: answer } = PROFILES.grace;
  const server = await startGraceServer({ seconds, answer });
  return {
    tokenEndpoint: server.tokenEndpoint,
    clientId: "client",
    get tokenRequests() {
      return server.requests;
    },
    get revokedGrants() {
      return Number(server.isRevoked);
    },
    mintRefreshToken: async () => server.mint(),
    verify: (accessToken) => server.verify(accessToken),
    close: async () => server[Symbol.asyncDispose](),
  };
}

async function signInExpired(path: string, server: Server): Promise<Set<string>> {
  const manager = createTokenManager({ store: fileStore({ path }) });
  const refreshToken = await server.mintRefreshToken();
  const accessToken = `expired-${refreshToken}`;
  await manager.signIn({ accessToken, refreshToken, expiresAt: 0 });
  await manager.close();
  return new Set([refreshToken]);
}

/** Whether a small file system can be had here. */
export function canMount(): boolean {
  const place = mkdtempSync(join(tmpdir(), "unexpired-faults-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", place], { stdio: "ignore" });
    execFileSync("umount", [place]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(place, { recursive: true });
  }
}

/** Everything below a directory. */
const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => join(directory, name));

/** Remembers the tokens that are in the session's files now. */
export function collectTokens({ root, tokens }: Scene): void {
  for (const path of filesIn(root)) {
    for (const [, token] of textOf(path).matchAll(/\\*"(?:access|refresh|id)Token\\*":\\*"([\w.~-]{20,})/g)) {
      if (token) tokens.add(token);
    }
  }
}

function textOf(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, "utf8") : "";
  } catch {
    return ""; // gone meanwhile
  }
}
