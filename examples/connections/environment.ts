import { onToken, type TokenSource } from "@unexpired/core";

/** Keeps a variable up to date, for child processes that start later, and for libraries that read it at each use. */
export const keepInEnvironment = (tokens: TokenSource, name: string): (() => void) =>
  onToken(
    tokens,
    (accessToken) => {
      if (accessToken === undefined) delete process.env[name];
      else process.env[name] = accessToken;
    },
    { keepFresh: true },
  );
