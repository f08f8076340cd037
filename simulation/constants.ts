/** Who wrote, where it was no process of ours. */
export const FOREIGN = "a foreign program";

/** Milliseconds; short, so that leases are short and runs are, too. */
export const EXCHANGE_DEADLINE = 2_000;
