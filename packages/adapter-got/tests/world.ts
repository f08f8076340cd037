import { CANARY, type ResourceServer, type Session, startResourceServer, startSession } from "@unexpired/testing";
import got, { type ExtendOptions, type Got, type RequestError } from "got";
import { expect, test } from "vitest";
import { withTokens } from "../src/index.ts";

/** What a test of this package works with. */
export interface World {
  readonly api: ResourceServer;
  readonly session: Session;
  /** A client without retries, with the session's tokens for the origin of `api`. */
  readonly make: (options?: ExtendOptions) => Got;
}

/** Defines a test. */
export const gotTest = (name: string, run: (world: World) => Promise<void>) =>
  test(name, async () => {
    await using api = await startResourceServer();
    await using session = await startSession();
    const make = (options: ExtendOptions = {}) =>
      got.extend({ retry: { limit: 0 } }, options, withTokens(session.tokens, { origins: [api.origin] }));
    await run({ api, session, make });
  });

/** The tokens that arrived, without what they have in common. */
export const tokensAt = ({ received }: ResourceServer) =>
  received.map(({ authorization }) => authorization?.split(CANARY)[1]);

/** What a call of got rejects with. */
export const rejection = async (promise: PromiseLike<unknown>): Promise<RequestError> => {
  const error = await promise.then(
    (value) => expect.fail(`It resolved to ${value}`),
    (error: unknown) => error,
  );
  return error as RequestError;
};
