/** The contract of a store. Failures quote these sentences. */
const STORE = {
  load: "load() resolves to the stored value and its version, or to undefined if nothing is stored.",
  unreadable: "Unreadable data is a StoreError, never undefined: a session that is mistaken for an absent one is lost.",
  overwrite:
    "Unreadable data is replaced only by a save over the version that the error of load() states for it. If the data has changed since, the save is a conflict.",
  failure:
    "A failure is a StoreError: StoreConflictError means only that the version has changed, and undefined that nothing is stored.",
  save: "save(value, expected) stores the value only if the version is still `expected`, and otherwise rejects with StoreConflictError.",
  whole: "A value is stored completely or not at all, even if the process dies.",
  version: "A version is a non-empty string that never repeats, not even after remove() and a new save().",
  remove: "remove() deletes everything, and succeeds if nothing is stored.",
  watch: "watch(onChange) calls back when the record may have changed, until the function it returned is called.",
  supports: '`supports` declares how far compare-and-set holds: "process", "host" or "cluster".',
  holder: `holder.statusOf(id) is "gone" only if the holder with that id has certainly ended, and "alive" only if it certainly has not.`,
  describe: "describe() tells people where the session is stored.",
  secrets: "No secret appears in describe(), in an error or in an inspection of the store.",
  idle: "A store that is idle or closed does not keep the process alive, even while it watches.",
  separate: "Locations are separate: a value stored in one never appears in another.",
  session: "Any number of processes can share a session: each expiry costs one exchange, and every process continues.",
} as const;

/** The contract of an adapter. Failures quote these sentences. */
const ADAPTER = {
  attach: "A request to one of the origins carries the session's access token, which is refreshed before it expires.",
  own: "A request with its own credentials is left alone, and so is its 401.",
  retry: "A 401 is retried once, with a newer token. The caller gets a second 401, and one about rights or the user.",
  refresh: "Any number of 401s cost one refresh. If it fails, the caller gets the token manager's error.",
  body: "A body is resent byte for byte, or not at all: then the caller gets the 401, and the token is refreshed.",
  origins: "A token goes only to the origins that were fixed when the adapter was attached.",
  abort: "An abort ends the call immediately, with the client's own error. The refresh continues.",
  transparency: "Everything else about the client works as it does without the adapter.",
  instance: "Two clients never mix their sessions, and state that requests share does not change.",
  request: "A single request can go without the token, with another manager's token, or without the retry.",
  error: "No error reveals a token, however it is inspected.",
} as const;

/** The contract of a session format. Failures quote these sentences. */
const FORMAT = {
  parse: "parse(text) returns the session that the text holds, or undefined if it holds none.",
  unchanged: "A session that is printed into the document that it was parsed from changes no byte of it.",
  print: "Parsing a printed document returns the printed session, in the fields that the format owns.",
  keep: "Every byte of the document that the format does not own stays.",
  clear: "A document after a sign-out, print(undefined, found), parses to undefined and holds no token.",
  invalid: "Text that is unreadable makes parse and print throw: it is never undefined, and never overwritten.",
  discard:
    "discard(found) leaves no session and no token of an entry that is unreadable, and everything else as it is; it returns undefined if the whole document is unreadable.",
  hide: "No token appears in an error or in the key.",
  key: "`key` identifies the entry within the document: formats of different entries have different keys.",
  pure: "parse, print and discard are synchronous, and depend on nothing but their arguments, which they leave alone.",
} as const;

/** A clause of the contract of a store, an adapter or a session format. */
export type Clause = keyof typeof STORE | keyof typeof ADAPTER | keyof typeof FORMAT;

const contracts = [
  { of: "store", page: "writing-a-store", clauses: new Map<string, string>(Object.entries(STORE)) },
  { of: "adapter", page: "writing-an-adapter", clauses: new Map<string, string>(Object.entries(ADAPTER)) },
  { of: "format", page: "writing-a-format", clauses: new Map<string, string>(Object.entries(FORMAT)) },
];

/** A store, an adapter or a session format violates its contract. The message says what happened and quotes the violated clause. */
export class ConformanceError extends Error {
  override readonly name = "ConformanceError";
  /** The clause that is violated. */
  readonly clause: Clause;

  /** `happened` is one or more sentences; `cause` is what it threw. */
  constructor(clause: Clause, happened: string, options?: { readonly cause?: unknown }) {
    const quotes = contracts.flatMap(({ of, page, clauses }) => {
      const sentence = clauses.get(clause);
      return sentence ? [`The ${of} contract: ${sentence}\nSee docs/${page}.md#${clause}`] : [];
    });
    super([happened, ...quotes].join("\n"), options);
    this.clause = clause;
  }
}

/** Throws `error` if it is a {@link ConformanceError}, even of another copy of this package. */
export function throwViolation(error: unknown): void {
  if (Object(error).name === "ConformanceError") throw error;
}

/** Throws a {@link ConformanceError} unless `condition` is true. */
export function expectThat(condition: boolean, clause: Clause, happened: string | (() => string)): asserts condition {
  if (!condition) throw new ConformanceError(clause, typeof happened === "string" ? happened : happened());
}

/** Resolves to the reason that `promise` rejects with. Throws a {@link ConformanceError} if it resolves. */
export async function expectRejection(promise: Promise<unknown>, clause: Clause, happened: string): Promise<unknown> {
  let resolved: unknown;
  try {
    resolved = await promise;
  } catch (error) {
    return error;
  }
  throw new ConformanceError(clause, `${happened} It resolved to ${JSON.stringify(resolved) ?? "undefined"}.`);
}

/**
 * Resolves as `promise` does. Throws a {@link ConformanceError} if it rejects; `what` names the operation: "save() of a
 * text".
 */
export const expectSuccess = <T>(promise: Promise<T>, clause: Clause, what: string): Promise<T> =>
  Promise.resolve(promise).catch((error: unknown) => {
    throwViolation(error);
    const { message = String(error) } = Object(error) as { message?: string };
    throw new ConformanceError(clause, `${what} failed: ${message}`, { cause: error });
  });
