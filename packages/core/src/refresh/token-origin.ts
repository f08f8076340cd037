import type { SessionRecord } from "../record/record.ts";
import { originError } from "../tokens/token-origin.ts";
import type { RefreshFunction } from "../types.ts";

/**
 * Checks that a refresh function sends the tokens of a record only to the origin that issued them. If it cannot find out its
 * origin now, it checks that itself once it can.
 *
 * @throws ConfigurationError
 */
export async function assertTokenOrigin(
  refresh: RefreshFunction | undefined,
  { client }: SessionRecord,
): Promise<void> {
  if (client?.tokenOrigin === undefined) return;
  const origin = refresh?.tokenOrigin;
  const used = typeof origin === "function" ? await origin().catch(() => undefined) : origin;
  const error = originError(client.tokenOrigin, used);
  if (error) throw error;
}
