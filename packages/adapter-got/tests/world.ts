import { CANARY, type ResourceServer, type Session, startResourceServer, startSession } from "@unexpired/testing";
import got, { type ExtendOptions, type Got, type RequestError } from "got";
import { expect, it } from "vitest";
import { withTokens } from "../src/index.ts";

/** The fixtures of a test. */
export interface World {
  readonly api: ResourceServer;
  readonly session: Session;
  /** Creates a client without retries that sends the session's tokens to the origin of `api`. */
  readonly make: (options?: ExtendOptions) => Got;
}

/** Defines a test with its own {@link World}. */
export const gotTest = (name: string, run: (world: World) => Promise<void>) =>
  it(name, async () => {
    await using api = await startResourceServer();
    await using session = await startSession();
    const make = (options: ExtendOptions = {}) =>
      got.extend({ retry: { limit: 0 } }, options, withTokens(session.tokens, { origins: [api.origin] }));
    await run({ api, session, make });
  });

/** Returns the tokens that a server received, without their common prefix. */
export const tokensAt = ({ received }: ResourceServer) =>
  received.map(({ authorization }) => authorization?.split(CANARY)[1]);

/** Returns the error that a call rejects with. */
export const rejection = async (promise: PromiseLike<unknown>): Promise<RequestError> => {
  const error = await promise.then(
    (value) => expect.fail(`resolved to ${value}`),
    (error: unknown) => error,
  );
  return error as RequestError;
};
