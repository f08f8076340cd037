import { readFile, writeFile } from "node:fs/promises";
import type { Caller } from "./caller.ts";
import { type CallWithToken, callWithToken, statusOf } from "./clients.ts";
import type { Status, WorkerConfig } from "./messages.ts";

/** The content of the session file of the hand-written code. */
export interface NaiveSession {
  readonly accessToken: string;
  readonly refreshToken: string;
  /** The expiry of the access token in epoch milliseconds. */
  readonly expiresAt: number;
}

/** Typical hand-written code: reads, refreshes if expired or rejected, writes. It works until two do so at once. */
export async function naiveCaller(config: WorkerConfig, onChange: () => void): Promise<Caller> {
  return new NaiveCaller(config, await callWithToken[config.client](config.apiOrigin), onChange);
}

class NaiveCaller implements Caller {
  status: Status = "valid";
  exchanges = 0;
  readonly #config: WorkerConfig;
  readonly #send: CallWithToken;
  readonly #onChange: () => void;
  #inFlight = 0;

  constructor(config: WorkerConfig, send: CallWithToken, onChange: () => void) {
    this.#config = config;
    this.#send = send;
    this.#onChange = onChange;
  }

  get idle(): boolean {
    return this.#inFlight === 0;
  }

  async call(): Promise<unknown> {
    let session = await this.#read();
    if (session.expiresAt <= Date.now()) session = await this.#refresh(session);
    try {
      return await this.#send(session.accessToken);
    } catch (error) {
      if (statusOf(error) !== 401) throw error;
      session = await this.#refresh(await this.#read());
      return await this.#send(session.accessToken);
    }
  }

  async close(): Promise<void> {}

  async #read(): Promise<NaiveSession> {
    return JSON.parse(await readFile(this.#config.sessionPath, "utf8"));
  }

  async #refresh(session: NaiveSession): Promise<NaiveSession> {
    this.#inFlight += 1;
    this.exchanges += 1;
    this.#become("refreshing");
    try {
      const renewed = await exchange(this.#config, session.refreshToken);
      await writeFile(this.#config.sessionPath, JSON.stringify(renewed));
      this.#become("valid");
      return renewed;
    } catch (error) {
      this.#become("dead");
      throw error;
    } finally {
      this.#inFlight -= 1;
    }
  }

  #become(status: Status): void {
    this.status = status;
    this.#onChange();
  }
}

async function exchange(config: WorkerConfig, refreshToken: string): Promise<NaiveSession> {
  const response = await fetch(config.tokenEndpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      client_id: config.clientId,
      refresh_token: refreshToken,
    }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`the token endpoint responded with ${response.status} ${body.error}`);
  return {
    accessToken: body.access_token,
    refreshToken: body.refresh_token,
    expiresAt: Date.now() + body.expires_in * 1000,
  };
}
