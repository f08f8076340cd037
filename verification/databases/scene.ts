import { randomUUID } from "node:crypto";
import {
  createSessions,
  type Sessions,
  type SessionsEvent,
  type SessionsOptions,
  type TokenStore,
} from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { type Issuer, type IssuerOptions, startIssuer } from "@unexpired/testing";
import type { Place } from "@unexpired-internal/tables/row";
import { CANARY } from "@unexpired-internal/test-support/canary";
import type { Database } from "./database.ts";

const EXCHANGE_TIMEOUT = 12_000; // ms

/** A process of a server, with its own connections to the database and its own sessions. */
export interface Member {
  readonly sessions: Sessions;
  readonly events: readonly SessionsEvent[];
  /** Ends it in order. */
  close(): Promise<void>;
}

export interface MemberOptions extends Partial<SessionsOptions> {
  /** The most connections to the database. */
  readonly connections?: number | undefined;
  /** Wraps the store of each key. */
  readonly wrap?: ((store: TokenStore, key: string) => TokenStore) | undefined;
}

/** The place of one row: users of its own in a database that the group shares, and an issuer that revokes a session on a replay. */
export class Scene<D extends Database = Database> implements Place {
  readonly database: D;
  readonly issuer: Issuer;
  readonly #prefix = randomUUID().slice(0, 8);
  readonly #members: Member[] = [];

  private constructor(database: D, issuer: Issuer) {
    this.database = database;
    this.issuer = issuer;
  }

  static async create<D extends Database>(database: D, options: IssuerOptions = {}): Promise<Scene<D>> {
    return new Scene(database, await startIssuer({ prefix: CANARY, ...options }));
  }

  /** Returns the key of a user. */
  key(name: string | number): string {
    return `${this.#prefix}:${name}`;
  }

  /** Starts a process. */
  start({ connections, wrap = (store) => store, ...options }: MemberOptions = {}): Member {
    const stores = this.database.open(connections);
    const { tokenEndpoint } = this.issuer;
    const sessions = createSessions({
      store: (key) => wrap(stores.store(key), key),
      refresh: oauth2Refresh({ tokenEndpoint, clientId: "server", timeout: EXCHANGE_TIMEOUT }),
      ...options,
    });
    const events: SessionsEvent[] = [];
    sessions.subscribe((event) => events.push(event));
    const close = async () => {
      await sessions.close().finally(() => stores[Symbol.asyncDispose]());
    };
    const member = { sessions, events, close };
    this.#members.push(member);
    return member;
  }

  /** Signs a user in, with an access token that has expired. */
  async signIn(member: Member, name: string | number): Promise<void> {
    await member.sessions.signIn(this.key(name), { ...this.issuer.signIn(), expiresAt: Date.now() - 1_000 });
  }

  get exchanges(): string {
    const { exchanges, revoked, requests } = this.issuer;
    const presented = requests.map(({ form }) => form.refresh_token);
    const replays = presented.length - new Set(presented).size;
    return `${exchanges} exchanges, ${replays} replays, ${revoked} revoked`;
  }

  tidy(text: string): string {
    return text.replaceAll(this.#prefix, "…").replace(/127\.0\.0\.1:\d+/g, "the server");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#members.map((member) => member.close()));
    await this.issuer[Symbol.asyncDispose]();
  }
}
