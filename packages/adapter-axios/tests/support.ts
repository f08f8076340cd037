import { inspect } from "node:util";
import {
  accepting,
  CANARY,
  type ResourceServer,
  type Session,
  startResourceServer,
  startSession,
} from "@unexpired/testing";
import axios, {
  type AxiosAdapter,
  type AxiosInstance,
  type AxiosRequestConfig,
  type InternalAxiosRequestConfig,
} from "axios";
import { expect, it } from "vitest";
import { attachTokens } from "../src/index.ts";

/** A session, two servers, and an instance that sends the session's tokens to the origin of `api`. */
export interface World {
  readonly api: ResourceServer;
  readonly other: ResourceServer;
  readonly session: Session;
  readonly client: AxiosInstance;
  /** Makes `api` reject the current token and accept the next one. */
  refuseOnce(): void;
}

/** Defines a test with its own {@link World}. */
export const axiosTest = (name: string, run: (world: World) => Promise<void>, config: AxiosRequestConfig = {}) =>
  it(name, async () => {
    await using api = await startResourceServer();
    await using other = await startResourceServer();
    await using session = await startSession();
    const client = axios.create({ baseURL: api.origin, ...config });
    attachTokens(client, session.tokens);
    const refuseOnce = () => {
      api.respond = accepting(session.accessToken(2));
    };
    await run({ api, other, session, client, refuseOnce });
  });

/** Returns a test function that skips its test in versions of axios before `major.minor`, which lack the feature. */
export const since = (major: number, minor: number) => {
  const [actualMajor = 0, actualMinor = 0] = axios.VERSION.split(".").map(Number);
  const isSupported = actualMajor > major || (actualMajor === major && actualMinor >= minor);
  return isSupported
    ? axiosTest
    : (name: string, ..._: unknown[]) =>
        it(name, ({ skip }) => skip(`not applicable: axios ${axios.VERSION} does not support this`));
};

/** The `node:http` transport of axios. */
export const viaHttp: AxiosAdapter =
  typeof axios.defaults.adapter === "function" ? axios.defaults.adapter : axios.getAdapter("http");

/** A transport that rejects with the header and redirect hook that it received. */
export const capture = (config: InternalAxiosRequestConfig): Promise<never> => {
  const { beforeRedirect } = config;
  return Promise.reject({ authorization: config.headers.get("authorization"), beforeRedirect });
};

/** Returns the `Authorization` headers that a server received. */
export const authorizationsAt = ({ received }: ResourceServer) => received.map(({ authorization }) => authorization);

/** Returns the error that a promise rejects with. */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`resolved to ${inspect(value)}`),
    (error: unknown) => error,
  );

/** Asserts that inspecting or serializing an error shows no token. */
export function expectNoToken(error: unknown): void {
  const { stack, cause, config, request, response } = Object(error) as Record<string, unknown>;
  for (const part of [error, stack, cause, config, request, response]) {
    expect(inspect(part, { depth: null, showHidden: true, maxStringLength: null })).not.toContain(CANARY);
    expect(json(part)).not.toContain(CANARY);
  }
}

const json = (value: unknown): string => {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return ""; // it has cycles
  }
};
