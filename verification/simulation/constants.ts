/** The author of writes that no simulated process made. */
export const FOREIGN = "another program";

/** The author of a change that a power failure made: earlier content is back. */
export const POWER = "a power failure";

/** The author of a change that a failover of the store made: its last writes are lost. */
export const FAILOVER = "a failover";

/** The authors of changes that bring earlier content back. */
export const UNDOING: readonly string[] = [POWER, FAILOVER];

/** For how many milliseconds after its reconnect a process claims nothing. */
export const SETTLE_TIME = 2_000;

/** The deadline of an exchange in milliseconds. It is short to keep leases, and thereby runs, short. */
export const EXCHANGE_DEADLINE = 2_000;

/** A claim whose holder is alive lasts at least this long, in milliseconds. */
export const HOLD = 600_000;

/** How old a look at a store without notifications may be before a call looks again, in milliseconds. */
export const MAX_STALENESS = 5_000;
