import { SignInRequiredError, UnexpiredError } from "../errors.ts";
import type { CallOptions, NamedTokenSource, RejectionOptions, SessionEvent, TokenSet, TokenSource } from "../types.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import { ServedTokens } from "../util/served-tokens.ts";
import { assertTokenSource, isRejectionFor, markOwn, requestReplacement, requestTokens } from "../util/token-source.ts";

/** The source that {@link firstAvailable} creates. */
export interface FirstAvailableSource extends NamedTokenSource {
  /** Returns whether a response with this status rejects the access token. Default: one of the source in use. */
  isRejection(status: number, accessToken?: string): boolean;
  /** Calls `listener` on the events of all sources, until the returned function is called. */
  subscribe(listener: (event: SessionEvent) => void): () => void;
}

/**
 * Creates a source that uses the first of `sources` that has a token, decided at each call: sources that reject with a
 * `SignInRequiredError` whose reason is `no_session` or `signed_out` are passed over. Any other error is final, so that a
 * token that has expired or was rejected is reported, and never replaced by that of another account: a rejected token is
 * replaced only by the source that returned it, even if that has lost its token since.
 *
 * `source()` names the source in use: a variable, or where a manager stores its session. If none has a token, calls reject
 * with a `SignInRequiredError` that names all of them.
 *
 * @throws TypeError if there are no sources, or one of them is not a token source
 */
export function firstAvailable(...sources: readonly TokenSource[]): FirstAvailableSource {
  if (sources.length === 0) throw new TypeError("firstAvailable: expected at least one token source.");
  for (const [index, source] of sources.entries()) assertTokenSource(source, `sources[${index}]`);
  const selection = new Selection(sources);
  const getTokenSet = async (options?: CallOptions) => (await selection.select(options)).tokens;
  const replaceRejected = async (rejected: string, options: RejectionOptions = {}) => {
    const source = selection.ownerOf(rejected) ?? (await selection.select({ signal: options.signal })).source;
    return selection.replace(source, rejected, options);
  };
  return markOwn({
    getTokenSet,
    getAccessToken: (options) => hideResult(getTokenSet(options).then(({ accessToken }) => accessToken)),
    replaceRejected: (...given) => hideResult(replaceRejected(...given)),
    isRejection: (status, accessToken) => selection.isRejection(status, accessToken),
    source: () => selection.name(),
    subscribe: (listener) => subscribeToAll(sources, listener),
  });
}

interface Selected {
  readonly source: TokenSource;
  readonly tokens: TokenSet;
}

class Selection {
  readonly #sources: readonly TokenSource[];
  /** The sources that had no token when they were last asked. */
  readonly #empty = new Set<TokenSource>();
  readonly #served = new ServedTokens<TokenSource>();
  #inUse: TokenSource | undefined;

  constructor(sources: readonly TokenSource[]) {
    this.#sources = sources;
  }

  async select(options: CallOptions | undefined): Promise<Selected> {
    const errors: SignInRequiredError[] = [];
    for (const source of this.#sources) {
      options?.signal?.throwIfAborted();
      try {
        const tokens = await requestTokens(source, options);
        this.#onAvailable(source);
        this.#served.add(tokens.accessToken, source);
        return { source, tokens };
      } catch (error) {
        if (!isAbsence(error)) {
          this.#onAvailable(source);
          throw error;
        }
        this.#empty.add(source);
        errors.push(error);
      }
    }
    throw noToken(errors);
  }

  #onAvailable(source: TokenSource): void {
    this.#empty.delete(source);
    this.#inUse = source;
  }

  /** Returns the source that has returned this access token. */
  ownerOf(accessToken: string): TokenSource | undefined {
    return this.#served.ownerOf(accessToken);
  }

  async replace(source: TokenSource, rejected: string, options: RejectionOptions): Promise<string> {
    const newer = await requestReplacement(source, rejected, options);
    this.#served.add(newer, source);
    return newer;
  }

  isRejection(status: number, accessToken = ""): boolean {
    const source = this.ownerOf(accessToken) ?? this.#inUse;
    return source ? isRejectionFor(source, status, accessToken) : status === 401;
  }

  name(): string | undefined {
    for (const [index, source] of this.#sources.entries()) {
      const name = source.source ? source.source() : this.#empty.has(source) ? undefined : `source ${index + 1}`;
      if (name !== undefined) return name;
    }
    return undefined;
  }
}

/** Returns whether an error says that a source is empty, as opposed to one whose token is no longer good. */
const isAbsence = (error: unknown): error is SignInRequiredError =>
  UnexpiredError.is(error) &&
  error.code === "SIGN_IN_REQUIRED" &&
  (error.reason === "no_session" || error.reason === "signed_out");

function noToken(errors: readonly SignInRequiredError[]): SignInRequiredError {
  const locations = errors.flatMap(({ location }) => location ?? []).join(", ");
  return new SignInRequiredError(errors.at(-1)?.reason ?? "no_session", locations, {
    problem: "none of the sources has a token",
    hint: "Provide a token in one of them, or have the user sign in.",
  });
}

function subscribeToAll(sources: readonly TokenSource[], listener: (event: SessionEvent) => void): () => void {
  if (typeof listener !== "function")
    throw new TypeError(`listener: expected a function, not ${describeType(listener)}.`);
  const unsubscribe = sources.map((source) => source.subscribe?.(listener));
  return () => {
    for (const each of unsubscribe) each?.();
  };
}
