const WINDOW = 0.2; // of a token's lifetime: its last part, in which it is refreshed

interface User {
  exchanges: number;
  /** When the next exchange is due, in epoch milliseconds. */
  dueAt: number;
  /** When the pending requests were sent, in epoch milliseconds. */
  readonly pending: { readonly sentAt: number }[];
}

/**
 * Counts the exchanges that are due: one for each token that is used in its last fifth, or after it has expired. A server may
 * look at the token at any time between a request and its response, so each exchange counts as early as possible.
 */
export class Schedule {
  readonly #users = new Map<string, User>();
  readonly #lifetime: number;

  /** @param lifetime of an access token, in seconds */
  constructor(lifetime: number) {
    this.#lifetime = lifetime;
  }

  /** Notes when a user's first token is to be refreshed, in epoch milliseconds. */
  start(user: string, dueAt: number): void {
    this.#users.set(user, { exchanges: 0, dueAt, pending: [] });
  }

  /** Notes a request of a user, and returns a function to call with the time of its response. */
  begin(user: string, now: number): (now: number) => void {
    const known = this.#users.get(user);
    if (!known) throw new Error(`${user} has not signed in.`);
    const request = { sentAt: now };
    known.pending.push(request);
    return (end) => {
      this.#count(known, end);
      known.pending.splice(known.pending.indexOf(request), 1);
    };
  }

  #count(user: User, now: number): void {
    const span = (1 - WINDOW) * this.#lifetime * 1_000;
    const earliest = Math.min(...user.pending.map(({ sentAt }) => sentAt));
    for (; now >= user.dueAt; user.dueAt = Math.max(user.dueAt, earliest) + span) user.exchanges++;
  }

  /** The number of exchanges that were due, by user. */
  get exchanges(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#users].map(([user, { exchanges }]) => [user, exchanges]));
  }
}
