/** What a store promises, in the words that a failure quotes. */
const STORE = {
  load: "load() resolves to what is stored and its version, and to undefined where there is nothing.",
  unreadable: "What cannot be read is a StoreError, never undefined: a session that is taken for absent is lost.",
  save: "save(value, expected) stores the value only if the version is still `expected`, and rejects with StoreConflictError otherwise.",
  whole: "A value is stored whole or not at all, also where the process dies.",
  version: "A version is a non-empty string that never repeats, also not after remove() and a new save().",
  remove: "remove() deletes everything, and is no error where there is nothing.",
  watch: "watch(onChange) calls back when the record may have changed, until the function that it returned is called.",
  supports: '`supports` says how far compare-and-set holds: "process", "host" or "cluster".',
  holder: "holder.isGone(id) is true only where the holder with that id has certainly ended.",
  describe: "describe() says where the session lives, for people.",
  secrets: "No secret shows in describe(), in an error or in an inspection.",
  idle: "Nothing idle keeps the process alive.",
  separate: "A session is kept for itself: what is stored in another place never shows.",
  session: "Any number of processes on one session: one exchange for each expiry, and everyone goes on.",
} as const;

/** What an adapter promises, likewise. */
const ADAPTER = {
  attach: "A request to one of the origins carries the session's access token, which is renewed before it expires.",
  own: "A request with credentials of its own is left alone, and so is its 401.",
  retry: "A 401 is retried once, with a newer token; the second one is the caller's, and so is one about rights.",
  renewal: "Any number of 401s cost one renewal. One that fails is thrown as the token manager throws it.",
  body: "A body is sent once more byte for byte, or not at all: then the 401 is the caller's, and the token is renewed.",
  origins: "A token goes to the origins fixed when it was attached, and nowhere else.",
  abort: "An abort ends the call at once, with the client's own error. The renewal goes on.",
  manners: "Everything else about the client is as it is without the adapter.",
  instance: "Two clients never mix, and what is shared between requests does not change.",
  request: "One request can go without the token, with another manager's, or without the retry.",
  error: "No error shows a token, wherever one looks.",
} as const;

/** A part of the store contract or of the adapter contract. */
export type Clause = keyof typeof STORE | keyof typeof ADAPTER;

const contracts = [
  { of: "store", page: "writing-a-store", clauses: new Map<string, string>(Object.entries(STORE)) },
  { of: "adapter", page: "writing-an-adapter", clauses: new Map<string, string>(Object.entries(ADAPTER)) },
];

/** A store or an adapter does not do what its contract says. The message says what happened, and quotes the contract. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
  /** The part of the contract that is broken. */
  readonly clause: Clause;

  /** `happened` is one or more sentences; `cause` is what the store or the client threw. */
  constructor(clause: Clause, happened: string, options?: { readonly cause?: unknown }) {
    const quotes = contracts.flatMap(({ of, page, clauses }) => {
      const sentence = clauses.get(clause);
      return sentence ? [`The ${of} contract: ${sentence}\nSee docs/${page}.md#${clause}`] : [];
    });
    super([happened, ...quotes].join("\n"), options);
    this.clause = clause;
  }
}

/** Throws a {@link ConformanceError} unless `condition` holds. */
export function hold(condition: boolean, clause: Clause, happened: string | (() => string)): asserts condition {
  if (!condition) throw new ConformanceError(clause, typeof happened === "string" ? happened : happened());
}

/** What `promise` rejects with; a {@link ConformanceError} where it does not. */
export async function rejection(promise: Promise<unknown>, clause: Clause, happened: string): Promise<unknown> {
  let resolved: unknown;
  try {
    resolved = await promise;
  } catch (error) {
    return error;
  }
  throw new ConformanceError(clause, `${happened} It resolved to ${JSON.stringify(resolved) ?? "undefined"}.`);
}

/** What `promise` resolves to; a {@link ConformanceError} where it rejects. `what` it is: "save() of a text". */
export const success = <T>(promise: Promise<T>, clause: Clause, what: string): Promise<T> =>
  Promise.resolve(promise).catch((error: unknown) => {
    if (error instanceof ConformanceError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new ConformanceError(clause, `${what} failed: ${message}`, { cause: error });
  });
