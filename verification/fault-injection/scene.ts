import { execFileSync } from "node:child_process";
import { chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTokenManager, type ProviderProfile } from "@unexpired/core";
import { fileStore } from "@unexpired/store-node";
import { type Api, startApi } from "@unexpired-internal/demo/api";
import { type AuthorizationServer, startAuthorizationServer } from "@unexpired-internal/demo/authorization-server";
import { startGraceServer } from "../end-to-end/support/grace-server.ts";
import { chainOfDocument, writeDocument } from "./documents.ts";
import { chainOf } from "./faults.ts";
import { NOBODY } from "./rights.ts";

const SMALL_DISK = "size=128k";

/** The authorization servers, as the processes know them. */
export const PROFILES = {
  generic: {},
  grace: { graceSeconds: 30, replayReturns: "same" },
  "sign-in": { afterLoss: "sign-in" },
} as const satisfies Record<string, Partial<ProviderProfile>>;

export type ProfileName = keyof typeof PROFILES;

type Server = Omit<AuthorizationServer, "issuer" | "endSessions">;

/** An authorization server, an API, and the directory of a session: an expired one, or none yet. */
export interface Scene extends AsyncDisposable {
  readonly server: Server;
  readonly api: Api;
  /** The directory that contains the session's directory. */
  readonly root: string;
  readonly sessionPath: string;
  /** The directory of the session's generations. */
  readonly chain: string;
  /** Whether the processes run as an account without privileges. */
  readonly isWithoutRights: boolean;
  /** The tokens that no process may print. */
  readonly tokens: Set<string>;
}

export interface SceneOptions {
  readonly latency: number;
  readonly accessTokenSeconds: number;
  readonly profile: ProfileName;
  /** Whether the session is on a separate small file system. */
  readonly isSmallDisk: boolean;
  /** Whether the session belongs to an account without privileges. */
  readonly isWithoutRights: boolean;
  /** Whether the session is in another program's document. */
  readonly isDocument: boolean;
  /** Whether there is no session yet. */
  readonly isSignedOut: boolean;
}

export async function setScene(options: SceneOptions): Promise<Scene> {
  const { isSmallDisk, isWithoutRights } = options;
  const root = mkdtempSync(join(tmpdir(), "unexpired-faults-"));
  if (isSmallDisk) execFileSync("mount", ["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", root]);
  const sessionPath = join(root, "home", options.isDocument ? "settings.json" : "session.json");
  mkdirSync(join(root, "home"), { mode: 0o700 });
  const server = options.profile === "grace" ? await startLenientServer() : await startAuthorizationServer(options);
  const api = await startApi(server.verify);
  const refreshToken = await server.mintRefreshToken();
  if (options.isDocument) writeDocument(sessionPath, refreshToken);
  else if (!options.isSignedOut) await signInExpired(sessionPath, refreshToken);
  const tokens = new Set([refreshToken]);
  if (isWithoutRights) for (const path of [root, ...filesIn(root)]) chownSync(path, NOBODY, NOBODY);
  return {
    server,
    api,
    root,
    sessionPath,
    chain: options.isDocument ? chainOfDocument(sessionPath) : chainOf(sessionPath),
    tokens,
    isWithoutRights,
    async [Symbol.asyncDispose]() {
      await Promise.all([server.close(), api.close()]);
      if (isSmallDisk) execFileSync("umount", ["-l", root]);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Starts a server with a grace period, which `oidc-provider` does not support. */
async function startLenientServer(): Promise<Server> {
  const { graceSeconds: seconds, replayReturns } = PROFILES.grace;
  const server = await startGraceServer({ seconds, replayReturns });
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

async function signInExpired(path: string, refreshToken: string): Promise<void> {
  const manager = createTokenManager({ store: fileStore({ path }) });
  const accessToken = `expired-${refreshToken}`;
  await manager.signIn({ accessToken, refreshToken, expiresAt: 0 });
  await manager.close();
}

/** Whether this process can mount a small file system. */
export function canMount(): boolean {
  const mountPoint = mkdtempSync(join(tmpdir(), "unexpired-faults-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs", mountPoint], { stdio: "ignore" });
    execFileSync("umount", [mountPoint]);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(mountPoint, { recursive: true });
  }
}

/** Lists everything below a directory, in which processes may be creating and removing files. */
const filesIn = (directory: string): string[] =>
  namesIn(directory)
    .map((name) => join(directory, name))
    .flatMap((path) => [path, ...filesIn(path)]);

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it is no directory, or was removed in the meantime
  }
}

/** Adds the tokens that are currently in the session's files. */
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
    return ""; // removed in the meantime
  }
}
