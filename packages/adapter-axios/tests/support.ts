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
import { expect, test } from "vitest";
import { attachTokens } from "../src/index.ts";

/** A session, two servers, and an instance with the session's tokens for the origin of `api`. */
export interface World {
  readonly api: ResourceServer;
  readonly other: ResourceServer;
  readonly session: Session;
  readonly client: AxiosInstance;
  /** From now on, `api` accepts the token that one exchange leads to. */
  refuseOnce(): void;
}

/** A test in a world of its own. */
export const axiosTest = (name: string, run: (world: World) => Promise<void>, config: AxiosRequestConfig = {}) =>
  test(name, async () => {
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

/** Some versions of axios lack what a test is about, or do it wrong: 1.0 cannot send the config of an error again. */
export const since = (major: number, minor: number) => {
  const [itsMajor = 0, itsMinor = 0] = axios.VERSION.split(".").map(Number);
  const has = itsMajor > major || (itsMajor === major && itsMinor >= minor);
  return has
    ? axiosTest
    : (name: string, ..._: unknown[]) =>
        test(name, ({ skip }) => skip(`not applicable: axios ${axios.VERSION} does not do this`));
};

/** axios through `node:http`, as a function. */
export const viaHttp: AxiosAdapter =
  typeof axios.defaults.adapter === "function" ? axios.defaults.adapter : axios.getAdapter("http");

/** A transport that rejects with what it would have sent. */
export const capture = (config: InternalAxiosRequestConfig): Promise<never> => {
  const { beforeRedirect } = config;
  return Promise.reject({ authorization: config.headers.get("authorization"), beforeRedirect });
};

/** The `Authorization` headers that arrived. */
export const authorizationsAt = ({ received }: ResourceServer) => received.map(({ authorization }) => authorization);

/** What a promise rejects with. */
export const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`resolved to ${inspect(value)}`),
    (error: unknown) => error,
  );

/** Nobody can print a token of it. */
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
