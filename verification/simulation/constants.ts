/** Who wrote, where it was no process of ours. */
export const FOREIGN = "a foreign program";

/** Who wrote, where power was cut: what was written before is back. */
export const POWER = "a power cut";

/** Milliseconds; short, so that leases are short and runs are, too. */
export const EXCHANGE_DEADLINE = 2_000;
