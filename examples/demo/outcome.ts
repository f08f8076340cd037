import type { Member } from "./fleet.ts";
import type { Options } from "./options.ts";

/** The state of a run at one moment. */
export interface Snapshot {
  readonly options: Options;
  /** The time since all processes began, in seconds. */
  readonly elapsed: number;
  readonly members: readonly Member[];
  /** The number of token exchanges, counted by the server. */
  readonly exchanges: number;
  readonly revokedGrants: number;
}

/** The output of `--json`. */
export interface Summary {
  readonly processes: number;
  readonly requests: number;
  readonly failedRequests: number;
  readonly exchanges: number;
  readonly revokedGrants: number;
  readonly seconds: number;
  readonly mode: Options["mode"];
}

export const ACCESS_TOKEN_SECONDS = 3;

export function summarize({ options, members, exchanges, revokedGrants }: Snapshot): Summary {
  const { processes, seconds, mode } = options;
  const requests = sum(members, "requests");
  return { processes, requests, failedRequests: sum(members, "failed"), exchanges, revokedGrants, seconds, mode };
}

export const sum = (members: readonly Member[], count: "requests" | "failed" | "exchanges"): number =>
  members.reduce((total, member) => total + member[count], 0);

/** The most exchanges that one session needs: a token is refreshed in the last fifth of its lifetime. */
export const mostExchanges = (seconds: number): number => Math.ceil(seconds / (0.8 * ACCESS_TOKEN_SECONDS)) + 1;

/** Describes what went wrong. Empty if the session survived. */
export function problems(snapshot: Snapshot): string[] {
  const { requests, failedRequests, revokedGrants, exchanges, seconds } = summarize(snapshot);
  const crashed = snapshot.members.filter((member) => member.end === "crashed").length;
  const most = mostExchanges(seconds);
  return [
    failedRequests > 0 && `${count(failedRequests)} of ${count(requests)} requests failed`,
    requests === 0 && "there was no request",
    revokedGrants > 0 && `the server revoked ${plural(revokedGrants, "grant")}`,
    exchanges > most && `${plural(exchanges, "token exchange")} instead of at most ${most}`,
    crashed > 0 && `${plural(crashed, "process", "processes")} ended early`,
  ].filter((problem) => problem !== false);
}

export const count = (value: number): string => value.toLocaleString("en-US");

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;
