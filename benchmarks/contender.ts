/** One process of the contention benchmark: gets a token in one of several ways at an agreed moment. */
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** The configuration that a process is started with. */
export interface ContenderConfig {
  readonly way: Way;
  /** The session's file. */
  readonly path: string;
  readonly tokenEndpoint: string;
  /** Whether this is the process that the ideal has chosen beforehand. */
  readonly isChosen: boolean;
  /** The file of another session, used first to stand for a process that has been running for a while. */
  readonly warmUp: string | undefined;
}

/** `ideal` is unsafe: it works only because one process is chosen in advance and no process fails. */
export type Way = "ideal" | "ideal, again" | "unexpired" | "lock, tuned" | "lock, as it comes";

/** The result of a process: when it had its token, by the clock that all processes of a machine share. */
export interface Finish {
  readonly at: number;
  /** Processor time that it took this process, in milliseconds. */
  readonly work: number;
  readonly accessToken: string;
}

type Get = () => Promise<string>;

const POLL = 3;

const config: ContenderConfig = JSON.parse(process.argv[2] ?? "{}");

const TUNED = { retries: 10_000, factor: 1, minTimeout: 4, maxTimeout: 4, randomize: false };

const prepare: Record<Way, (config: ContenderConfig) => Promise<Get>> = {
  ideal: prepareIdeal,
  "ideal, again": prepareIdeal,
  unexpired: prepareUnexpired,
  "lock, tuned": (config) => prepareLock(config, TUNED),
  "lock, as it comes": (config) => prepareLock(config, { retries: 10 }),
};

if (config.warmUp !== undefined) {
  const warmUp = await prepare[config.way]({ ...config, path: config.warmUp, isChosen: true });
  await warmUp();
}
const get = await prepare[config.way](config);
process.once("message", async (moment: number) => {
  await sleep(Math.max(0, moment - 5 - now()));
  while (now() < moment); // timers are not that exact
  const before = process.cpuUsage();
  const accessToken = await get();
  const { user, system } = process.cpuUsage(before);
  const finish: Finish = { at: now(), accessToken, work: (user + system) / 1000 };
  process.send?.(finish);
});
process.once("disconnect", () => process.exit()); // the other end has all that was told
process.send?.("ready");

function now(): number {
  return performance.timeOrigin + performance.now();
}

async function prepareUnexpired({ path, tokenEndpoint }: ContenderConfig): Promise<Get> {
  const { createTokenManager } = await import("@unexpired/core");
  const { oauth2Refresh } = await import("@unexpired/core/oauth2");
  const { fileStore } = await import("@unexpired/store-node");
  const refresh = oauth2Refresh({ tokenEndpoint, clientId: "client" });
  const tokens = createTokenManager({ store: fileStore({ path }), refresh });
  return () => tokens.getAccessToken();
}

/** The chosen one asks and writes; the others look until the file is another one. */
async function prepareIdeal(config: ContenderConfig): Promise<Get> {
  if (config.isChosen) return () => refreshAndWrite(config);
  return async () => {
    const before = statSync(config.path).ino;
    while (statSync(config.path).ino === before) await sleep(POLL);
    return read(config).accessToken;
  };
}

/** One after the other, and each looks whether it is done already. */
async function prepareLock(config: ContenderConfig, retries: object): Promise<Get> {
  const { lock } = await import("proper-lockfile");
  return async () => {
    const release = await lock(config.path, { realpath: false, stale: 5_000, retries });
    try {
      const { accessToken, expiresAt } = read(config);
      return expiresAt > Date.now() ? accessToken : await refreshAndWrite(config);
    } finally {
      await release();
    }
  };
}

interface Session {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresAt: number;
}

function read({ path }: ContenderConfig): Session {
  return JSON.parse(readFileSync(path, "utf8"));
}

async function refreshAndWrite(config: ContenderConfig): Promise<string> {
  const body = new URLSearchParams({ grant_type: "refresh_token", refresh_token: read(config).refreshToken });
  const response = await (await fetch(config.tokenEndpoint, { method: "POST", body })).json();
  const session: Session = {
    accessToken: response.access_token,
    refreshToken: response.refresh_token,
    expiresAt: Date.now() + response.expires_in * 1000,
  };
  const temporary = `${config.path}.new`;
  if (existsSync(temporary)) throw new Error("two processes write at once");
  writeFileSync(temporary, JSON.stringify(session), { flush: true });
  renameSync(temporary, config.path);
  return session.accessToken;
}
