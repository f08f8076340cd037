/**
 * Measures how long it takes until four files of other programs show a new session: `pnpm measure:mirrors`. Real processes
 * and a real authorization server. Fails if it ever takes longer than a second.
 */
import { Pool, propagate } from "./support/pool-members.ts";

const ROUNDS = 20;

await using pool = await Pool.create();
const { refreshed, written } = await propagate(pool, ROUNDS);

/** Returns the value that this share of the values does not exceed. */
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;

const row = (since: string, values: readonly number[]) => ({
  since,
  "median (ms)": quantile(values, 0.5),
  "p95 (ms)": quantile(values, 0.95),
  "max (ms)": quantile(values, 1),
});
console.log(`Until four files show a new session, in ${ROUNDS} rounds:`);
console.table([
  row("the response to an exchange of any of four processes", refreshed),
  row("another program wrote one of the files", written),
]);
console.log(`${pool.server.tokenRequests} exchanges, ${pool.server.revokedGrants} grants revoked`);
