import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { RefreshFunction, TokenManager, TokenManagerOptions } from "@unexpired/core";
import type { Issuer, IssuerOptions } from "@unexpired/testing";
import type { Place } from "@unexpired-internal/tables/row";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { Member, type MemberOptions } from "./member.ts";
import type { Packed } from "./packed.ts";

/** How long a token endpoint may take in a row, in milliseconds. */
const TIMEOUT = 5_000;

/** The place of one row: a directory, an issuer that revokes a session on a replay, and the packed packages. */
export class Scene implements Place {
  readonly packed: Packed;
  readonly directory = mkdtempSync(join(tmpdir(), "unexpired-machine-"));
  /** The session file; its directory exists. */
  readonly file = join(this.directory, "home", "session.json");
  issuer: Issuer;
  readonly #cleanups: (() => unknown)[] = [];

  private constructor(packed: Packed, issuer: Issuer) {
    this.packed = packed;
    this.issuer = issuer;
    mkdirSync(join(this.directory, "home"));
  }

  static async create(packed: Packed, options: IssuerOptions = {}): Promise<Scene> {
    return new Scene(packed, await packed.testing.startIssuer({ prefix: CANARY, ...options }));
  }

  /** Replaces the issuer by one that behaves differently. */
  async useIssuer(options: IssuerOptions): Promise<void> {
    await this.issuer[Symbol.asyncDispose]();
    this.issuer = await this.packed.testing.startIssuer({ prefix: CANARY, ...options });
  }

  /** Calls `cleanup` at the end of the row. */
  atEnd(cleanup: () => unknown): void {
    this.#cleanups.unshift(cleanup);
  }

  /** The refresh function for the issuer. */
  refresh(timeout = TIMEOUT): RefreshFunction {
    return this.packed.oauth2.oauth2Refresh({ tokenEndpoint: this.issuer.tokenEndpoint, clientId: "machine", timeout });
  }

  /** Opens a manager on the session file. */
  open(options: TokenManagerOptions & { readonly path?: string } = {}): TokenManager {
    const { path = this.file, ...rest } = options;
    const store = this.packed.storeNode.fileStore({ path });
    const tokens = this.packed.core.createTokenManager({ store, refresh: this.refresh(), ...rest });
    this.atEnd(() => tokens.close().catch(() => {}));
    return tokens;
  }

  /** Stores a session whose access token has expired. */
  async signIn(path = this.file): Promise<void> {
    const tokens = this.open({ path });
    await tokens.signIn({ ...this.issuer.signIn(), expiresAt: 1 });
    await tokens.close();
  }

  /** Starts a process that shares the session. */
  async member(options: Partial<MemberOptions> = {}): Promise<Member> {
    const member = await Member.start({
      folder: this.packed.folder,
      path: this.file,
      tokenEndpoint: this.issuer.tokenEndpoint,
      timeout: TIMEOUT,
      ...options,
    });
    this.atEnd(() => member.end());
    return member;
  }

  /** Waits until the issuer has received this many requests. */
  async requested(count: number): Promise<void> {
    while (this.issuer.requests.length < count) await wait(2);
  }

  /** Waits until what a call has left behind, such as a load that it does not wait for, has certainly ended. */
  settle(): Promise<void> {
    return wait(200);
  }

  /** The record that is stored. */
  async record(path = this.file): Promise<Readonly<Record<string, unknown>>> {
    return JSON.parse((await this.packed.storeNode.fileStore({ path }).load())?.value ?? "{}");
  }

  /** The requests that the issuer received, as text. */
  get exchanges(): string {
    const presented = this.issuer.requests.map(({ form }) => form.refresh_token);
    const twice = presented.length - new Set(presented).size;
    return [
      `${presented.length} ${presented.length === 1 ? "exchange" : "exchanges"}`,
      `${twice === 0 ? "none" : twice} presented twice`,
      this.issuer.revoked > 0 ? "signed out by the server" : "signed in",
    ].join(", ");
  }

  /** Removes what differs between two runs or two machines. */
  tidy(text: string): string {
    return text
      .replaceAll(this.directory, "…")
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
      .replaceAll(/\b(process|pid) \d+/gi, "$1 <pid>")
      .replaceAll(/127\.0\.0\.1:\d+/g, "127.0.0.1")
      .replaceAll(/\s+/g, " ");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A manager that waits forever must not stop the rows that follow.
    for (const cleanup of this.#cleanups) await Promise.race([cleanup(), wait(2_000, undefined, { ref: false })]);
    await this.issuer[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
