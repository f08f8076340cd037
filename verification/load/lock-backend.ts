import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Redis } from "ioredis";
import type { IssuedTokens } from "./authorization.ts";
import type { Backend, ServerConfig } from "./backend.ts";

const WINDOW = 4_000; // ms before the expiry, as Unexpired has it for tokens of 20 s
const LOCK_TIME = 10_000; // ms
const POLL = 50; // ms

/** Deletes a lock if it is still ours. */
const RELEASE = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end';

/** The same server as people write it by hand: the tokens as JSON in Redis, and a lock in Redis around each refresh. */
export class LockBackend implements Backend {
  readonly #config: ServerConfig;
  readonly #redis: Redis;

  constructor(config: ServerConfig) {
    if (config.engine.name !== "redis") throw new TypeError("The lock needs Redis.");
    this.#config = config;
    this.#redis = new Redis(config.engine.url);
  }

  signIn(user: string, tokens: IssuedTokens): Promise<unknown> {
    return this.#redis.set(`tokens:${user}`, JSON.stringify(tokens));
  }

  async callApi(user: string): Promise<Response> {
    const { accessToken } = await this.#validTokens(user);
    const response = await this.#send(user, accessToken);
    if (response.status !== 401) return response;
    await response.body?.cancel();
    const newer = await this.#refresh(user, accessToken);
    return this.#send(user, newer.accessToken);
  }

  #send(user: string, accessToken: string): Promise<Response> {
    return fetch(`${this.#config.origin}/api/${user}`, { headers: { authorization: `Bearer ${accessToken}` } });
  }

  async #validTokens(user: string): Promise<IssuedTokens> {
    const tokens = await this.#load(user);
    return isFresh(tokens) ? tokens : this.#refresh(user, tokens.accessToken);
  }

  async #load(user: string): Promise<IssuedTokens> {
    return JSON.parse((await this.#redis.get(`tokens:${user}`)) ?? "") as IssuedTokens;
  }

  /** Replaces an access token, or waits until another process has. */
  async #refresh(user: string, accessToken: string): Promise<IssuedTokens> {
    const [lock, owner] = [`lock:${user}`, randomUUID()];
    while (!(await this.#redis.set(lock, owner, "PX", LOCK_TIME, "NX"))) {
      await setTimeout(POLL);
      const tokens = await this.#load(user);
      if (tokens.accessToken !== accessToken) return tokens;
    }
    try {
      const tokens = await this.#load(user);
      return tokens.accessToken === accessToken ? await this.#exchange(user, tokens.refreshToken) : tokens;
    } finally {
      await this.#redis.eval(RELEASE, 1, lock, owner);
    }
  }

  async #exchange(user: string, refreshToken: string): Promise<IssuedTokens> {
    const sentAt = Date.now();
    const form = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: this.#config.client };
    const response = await fetch(`${this.#config.origin}/token`, { method: "POST", body: new URLSearchParams(form) });
    if (!response.ok) throw new Error(`The token endpoint responded with ${response.status}.`);
    const body = (await response.json()) as { access_token: string; refresh_token: string; expires_in: number };
    const { access_token, refresh_token, expires_in } = body;
    const expiresAt = sentAt + expires_in * 1_000;
    const tokens = { accessToken: access_token, refreshToken: refresh_token, expiresAt };
    await this.signIn(user, tokens);
    return tokens;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#redis.disconnect();
  }
}

const isFresh = ({ expiresAt }: IssuedTokens): boolean => Date.now() < expiresAt - WINDOW;
