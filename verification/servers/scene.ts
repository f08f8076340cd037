import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { TokenManager, TokenManagerOptions, TokenSetInput, TokenStore } from "@unexpired/core";
import type { OAuth2RefreshOptions } from "@unexpired/core/oauth2";
import type { ResourceServer, VirtualClock } from "@unexpired/testing";
import type { Place } from "@unexpired-internal/tables/row";
import { canary } from "@unexpired-internal/test-support/canary";
import type { StoredRecord } from "./describe.ts";
import type { Packed } from "./packed.ts";
import { TokenServer } from "./token-server.ts";

const HOUR = 3_600_000;

/** Options of a session. */
export interface SessionOptions {
  /** Whether the access token is usable for another hour. Default: it has expired. */
  readonly isUsable?: boolean | undefined;
  /** Changes the tokens that the session begins with. */
  readonly tokens?: Partial<TokenSetInput> | undefined;
  readonly manager?: TokenManagerOptions | undefined;
  /** The name of a profile. */
  readonly provider?: keyof Packed["core"]["providers"] | undefined;
  readonly refresh?: Partial<OAuth2RefreshOptions> | undefined;
}

/** A session at a token endpoint of its own, in a manager whose clock is virtual. */
export interface Session {
  readonly server: TokenServer;
  readonly tokens: TokenManager;
  readonly store: TokenStore;
  readonly clock: VirtualClock;
  /** Opens another manager on the same store. */
  open(options?: TokenManagerOptions): TokenManager;
  record(): Promise<StoredRecord>;
}

/** The place of one row: the packed packages, an API, and sessions. */
export class Scene implements Place {
  readonly packed: Packed;
  readonly api: ResourceServer;
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-server-"));
  readonly #cleanups: (() => unknown)[] = [];
  #server: TokenServer | undefined;

  private constructor(packed: Packed, api: ResourceServer) {
    this.packed = packed;
    this.api = api;
  }

  static async create(packed: Packed): Promise<Scene> {
    return new Scene(packed, await packed.testing.startResourceServer());
  }

  /** Calls `cleanup` at the end of the row. */
  atEnd(cleanup: () => unknown): void {
    this.#cleanups.unshift(cleanup);
  }

  /** Signs in at a new token endpoint. */
  async session({ isUsable = false, tokens, provider, refresh, ...given }: SessionOptions = {}): Promise<Session> {
    const { core, oauth2, testing } = this.packed;
    const manager = { ...given.manager, ...(provider && { provider: core.providers[provider] }) };
    const server = await TokenServer.start();
    this.#server = server;
    this.atEnd(() => server[Symbol.asyncDispose]());
    const clock = new testing.VirtualClock(Date.now());
    const store = manager.store ?? core.memoryStore();
    const refreshFunction = oauth2.oauth2Refresh({
      tokenEndpoint: `${server.origin}/token`,
      clientId: "my-app",
      ...refresh,
    });
    const open = (options: TokenManagerOptions = {}) => {
      const opened = core.createTokenManager({ refresh: refreshFunction, clock, store, ...manager, ...options });
      this.atEnd(() => opened.close().catch(() => {}));
      return opened;
    };
    const opened = open();
    const expiresAt = clock.now() + (isUsable ? HOUR : 0);
    const first = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1), expiresAt };
    await opened.signIn({ ...first, ...tokens } as TokenSetInput);
    const record = async () => JSON.parse((await store.load())?.value ?? "{}");
    return { server, tokens: opened, store, clock, open, record };
  }

  /** The exchanges of the last session. */
  get exchanges(): string {
    return this.#server?.exchanges ?? "no exchange";
  }

  /** Removes what differs between two runs. */
  tidy(text: string): string {
    return text
      .replaceAll(this.directory, "…")
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1")
      .replaceAll(/\s+/g, " ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A manager that waits forever must not stop the rows that follow.
    for (const cleanup of this.#cleanups) await Promise.race([cleanup(), wait(2_000, undefined, { ref: false })]);
    await this.api[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
