import type { IssuedTokens } from "./authorization.ts";
import type { EngineConfig } from "./engine.ts";

/** The configuration of a server process. */
export interface ServerConfig {
  readonly backend: "unexpired" | "lock";
  readonly engine: EngineConfig;
  /** The origin of the authorization server, which has the API as well. */
  readonly origin: string;
  /** The client ID: another one for each process. */
  readonly client: string;
  /** The grace period of the authorization server, in seconds. */
  readonly grace: number;
}

/** The part of a server that calls the API for its users. Disposing it saves what has to be saved. */
export interface Backend extends AsyncDisposable {
  /** Keeps the tokens of a user who has signed in. */
  signIn(user: string, tokens: IssuedTokens): Promise<unknown>;
  /** Calls the API with the token of a user. */
  callApi(user: string): Promise<Response>;
}
