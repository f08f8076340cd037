import type { TokenSetInput } from "@unexpired/core";
import { setInspectView } from "@unexpired/core/adapter";

const SECRETS = ["accessToken", "refreshToken", "idToken"];

/**
 * Returns a copy of tokens that hides the secrets from `util.inspect` and `JSON.stringify`. They are getters, because
 * `console.dir` ignores a view.
 */
export function hideTokens(tokens: TokenSetInput): TokenSetInput {
  const members = Object.entries(tokens);
  const view = () =>
    Object.fromEntries(members.map(([name, value]) => [name, SECRETS.includes(name) ? "[secret]" : value]));
  const hidden = {} as TokenSetInput;
  for (const [name, value] of members) Object.defineProperty(hidden, name, { enumerable: true, get: () => value });
  return Object.freeze(setInspectView(hidden, view));
}
