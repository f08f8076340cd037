import { readExpiry, toLifetime } from "./expiry.ts";
import { PLACEHOLDER } from "./token-set.ts";

type Members = Readonly<Record<string, unknown>>;

const SECRETS = ["accessToken", "refreshToken", "idToken", "access_token", "refresh_token", "id_token"];
const TIMES = ["expiresAt", "refreshTokenExpiresAt"];

/** Returns the names of the members that hold the placeholder, as those of a token set that was copied as JSON. */
const placeholdersIn = (returned: unknown): string[] =>
  SECRETS.filter((name) => (Object(returned) as Members)[name] === PLACEHOLDER);

/**
 * Returns the names of the members that a refresh function returned and that cannot be read: placeholders, and times in another
 * form than that of a response (`access_token`) or of a token set.
 */
export function unreadableMembers(returned: unknown): string[] {
  const given = Object(returned) as Members;
  const isGiven = (name: string) => given[name] !== undefined && given[name] !== null;
  const isResponse = given.access_token !== undefined;
  const isLifetime = (name: string) => toLifetime(given[name]) !== undefined || Number(given[name]) <= 0; // 0: unknown
  const times = isResponse
    ? ["expires_in"].filter((name) => isGiven(name) && !isLifetime(name))
    : TIMES.filter((name) => isGiven(name) && readExpiry(given[name]) === undefined);
  return [...placeholdersIn(returned), ...times];
}

/** Says why a result holds no tokens, if it was copied as JSON. */
export function explainPlaceholders(returned: unknown): string {
  const [name] = placeholdersIn(returned);
  return name === undefined
    ? ""
    : `: ${name} is the placeholder "${PLACEHOLDER}", because JSON.stringify(tokenSet) leaves out the secrets`;
}
