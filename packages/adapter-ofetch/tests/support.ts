import { type ResourceServer, type Session, startResourceServer, startSession } from "@unexpired/testing";
import { ofetch } from "ofetch";
import { it } from "vitest";
import { type TokenFetchOptions, withTokens } from "../src/index.ts";

export interface World {
  readonly api: ResourceServer;
  readonly other: ResourceServer;
  readonly session: Session;
  make(options?: TokenFetchOptions): typeof ofetch;
}

/** Defines a test with two servers, a session and a client. */
export const ofetchTest = (name: string, run: (world: World) => Promise<void>, unsupported: string | false = false) =>
  it(name, { timeout: 5_000 }, async ({ skip }) => {
    if (unsupported) skip(`not applicable: ${unsupported}`);
    await using api = await startResourceServer();
    await using other = await startResourceServer();
    await using session = await startSession();
    const make = (options?: TokenFetchOptions) =>
      ofetch.create(withTokens(session.tokens, { baseURL: api.origin, ...options }));
    await run({ api, other, session, make });
  });

/** Returns the numbers of the tokens that a server received. */
export const tokensAt = ({ received }: ResourceServer) =>
  received.map(({ authorization }) => (authorization ? Number(authorization.at(-1)) : undefined));
