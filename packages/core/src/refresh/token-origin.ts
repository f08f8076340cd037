import type { SessionRecord } from "../record/record.ts";
import { originError } from "../tokens/token-origin.ts";
import type { Clock, RefreshFunction } from "../types.ts";
import { DEFAULT_TIMEOUT, withDeadline } from "../util/deadline.ts";

const DEADLINE = { milliseconds: DEFAULT_TIMEOUT, message: "The origin of the token endpoint is not known in time." };

/**
 * Checks that a refresh function sends the tokens of a record only to the origin that issued them. If it cannot find out its
 * origin now, it checks that itself once it can.
 *
 * @throws ConfigurationError
 */
export async function assertTokenOrigin(
  refresh: RefreshFunction | undefined,
  { client }: SessionRecord,
  clock: Clock,
): Promise<void> {
  if (client?.tokenOrigin === undefined) return;
  const origin = refresh?.tokenOrigin;
  const find = async () => (typeof origin === "function" ? origin() : origin);
  const error = originError(client.tokenOrigin, await withDeadline(find, clock, DEADLINE).catch(() => undefined));
  if (error) throw error;
}
