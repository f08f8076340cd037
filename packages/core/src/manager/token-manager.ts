import * as z from "zod/mini";
import type { TokenEndpointError } from "../errors.ts";
import { digestOf, isEmpty, isSameAccount, type SessionRecord } from "../record/record.ts";
import { deadlineOf } from "../refresh/exchange.ts";
import { assertTokenOrigin } from "../refresh/token-origin.ts";
import { toEndpointError, toResponse } from "../token-endpoint/error-response.ts";
import { tokenOriginOf } from "../tokens/token-origin.ts";
import { parseTokenSet, secretsOf } from "../tokens/token-set.ts";
import type {
  CallOptions,
  GetTokenOptions,
  ParsedTokens,
  RejectionOptions,
  SessionEvent,
  SessionInfo,
  SessionState,
  SignInFlow,
  SignInOptions,
  SignInWithOptions,
  SignOutOptions,
  SignOutResult,
  TokenManager,
  TokenManagerOptions,
  TokenSet,
  TokenSetInput,
} from "../types.ts";
import { checkOption, durationSchema, type OptionTable } from "../util/check-options.ts";
import { withDeadline } from "../util/deadline.ts";
import { describeType } from "../util/describe-type.ts";
import { hideResult } from "../util/inspect.ts";
import { ownOption, ownOptions } from "../util/own-options.ts";
import { SESSION_ACCESS, type SessionAccess } from "../util/session-access.ts";
import { SOURCE_STATUS, type SourceStatus } from "../util/token-source.ts";
import { Driver } from "./driver.ts";
import { DriverAccess } from "./driver-access.ts";
import { parseOptions, type Settings } from "./options.ts";
import { verdictOf } from "./session.ts";
import { SharedSignIn } from "./shared-sign-in.ts";
import { saveSession, saveTombstone } from "./sign-in-out.ts";

/**
 * Creates a manager that keeps one session alive.
 *
 * @throws TypeError if an option is invalid; names the option and what is accepted
 */
export const createTokenManager = (options: TokenManagerOptions = {}): TokenManager =>
  createManager(parseOptions(options));

/** Creates a manager with options that have been checked. */
export const createManager = (settings: Settings): TokenManager => new Manager(settings);

class Manager implements TokenManager {
  readonly #settings: Settings;
  readonly #driver: Driver;
  #sharedSignIn: SharedSignIn | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#driver = new Driver(settings);
  }

  /** Created when it is needed: a server holds thousands of managers. */
  #createSharedSignIn(): SharedSignIn {
    const driver = this.#driver;
    const { store, clock } = this.#settings;
    const sharedSignIn = new SharedSignIn(
      { pending: driver.pending, holder: store.holder, clock },
      {
        assertOpen: () => driver.assertOpen(),
        observe: (record, isOurs) => driver.observe(record, isOurs ? "sign-in" : "store"),
        isSignedIn: () => isSignedIn(driver, this.#settings),
        signIn: (tokens, claim) => this.#start(tokens, { onlyIfNew: false, claim }),
        announce: (event) => driver.announce(event),
      },
    );
    driver.changes.add(() => sharedSignIn.wake());
    return sharedSignIn;
  }

  getAccessToken(options?: GetTokenOptions): Promise<string> {
    return this.#driver.cached(options)?.accessToken ?? toAccessToken(this.#getTokenSet(options));
  }

  getTokenSet(options?: GetTokenOptions): Promise<TokenSet> {
    return this.#driver.cached(options)?.tokenSet ?? this.#getTokenSet(options);
  }

  async #getTokenSet(options: GetTokenOptions | undefined): Promise<TokenSet> {
    const minValidity = ownOption(options, "minValidity");
    checkOption("minValidity", GET_OPTIONS.minValidity, minValidity);
    return this.#driver.resolveTokens({ type: "token-requested", refresh: false, minValidity }, options);
  }

  async refresh(options?: CallOptions): Promise<TokenSet> {
    if (!this.#settings.refresh)
      throw new TypeError("refresh(): this token manager has no refresh function. Pass one in the option `refresh`.");
    return this.#driver.resolveTokens({ type: "token-requested", refresh: true }, options);
  }

  replaceRejected(accessToken: string, options?: RejectionOptions): Promise<string> {
    const request = { type: "token-rejected", accessToken } as const;
    if (typeof accessToken === "string") return toAccessToken(this.#driver.resolveTokens(request, options));
    return Promise.reject(new TypeError(`accessToken: expected a string, not ${describeType(accessToken)}.`));
  }

  async signIn(input: TokenSetInput, { over }: SignInOptions = {}): Promise<boolean> {
    return this.#start(input, { onlyIfNew: false, over: checkOver(over) });
  }

  async signInWith(flow: SignInFlow, options: SignInWithOptions = {}): Promise<boolean> {
    if (typeof flow !== "function") throw new TypeError(`flow: expected a function, not ${describeType(flow)}.`);
    this.#sharedSignIn ??= this.#createSharedSignIn();
    return this.#sharedSignIn.run(flow, ownOptions(options));
  }

  adopt(input: TokenSetInput | ParsedTokens): Promise<boolean> {
    return this.#start(input, { onlyIfNew: true });
  }

  async #start(
    input: TokenSetInput | ParsedTokens,
    { onlyIfNew, over, claim }: SignInOptions & { readonly onlyIfNew: boolean; readonly claim?: string },
  ): Promise<boolean> {
    this.#driver.assertOpen();
    const tokens = parseTokenSet(input);
    const { accountOf, clock, profile } = this.#settings;
    // Two processes may draw the same ID, for example after a snapshot was started twice. The ID of a claim tells those that
    // have waited for it that this is its session.
    const session = `${claim ?? clock.randomId()}.${digestOf(tokens.refreshToken ?? tokens.accessToken)}`;
    const tokenOrigin = tokenOriginOf(input);
    const signedIn = { session, tokens, account: accountOf(tokens), obtainedAt: clock.now(), tokenOrigin };
    const options = { onlyIfNew, over, claim, rotates: profile.rotation };
    const hadTokens = this.#driver.session.record?.tokens !== undefined;
    const result = await this.#driver.signIn(() => saveSession(this.#driver.pending, signedIn, options));
    if (result.isStored) this.#driver.replaceSession(result, "sign-in");
    else this.#driver.observe(result.record, onlyIfNew ? "store" : "sign-in");
    if (result.isStored && hadTokens) this.#driver.announce({ type: "session-replaced", expiresAt: tokens.expiresAt });
    return result.isStored;
  }

  async signOut(options: SignOutOptions = {}): Promise<SignOutResult> {
    this.#driver.assertOpen();
    const { revoke = true, over } = ownOptions(options);
    checkOver(over);
    const { clock, refresh } = this.#settings;
    const { account } = this.#driver.session;
    const result = await saveTombstone(this.#driver.pending, { account, now: clock.now(), over });
    this.#driver.replaceSession(result, "store");
    const { tokens } = result;
    const revokeAtIssuer =
      refresh?.revoke &&
      (async (tokens: TokenSet) => {
        if (result.record) await assertTokenOrigin(refresh, result.record, clock);
        return refresh.revoke?.(tokens);
      });
    const run = revoke === true ? revokeAtIssuer : revoke || undefined;
    if (!tokens || !run) return { revoked: false };
    const milliseconds = deadlineOf(refresh);
    const deadline = { milliseconds, message: `No response within ${milliseconds} ms.` };
    try {
      const result = await withDeadline<unknown>(() => run(tokens), clock, deadline);
      return { revoked: result !== false };
    } catch (error) {
      this.#driver.announce(revocationFailed(toEndpointError(error, secretsOf(tokens))));
      return { revoked: false };
    }
  }

  async peek(): Promise<SessionInfo | undefined> {
    await this.#driver.load();
    const { record } = this.#driver.session;
    return record && !isEmpty(record) ? describeRecord(record, this.#settings.rules.canRefresh) : undefined;
  }

  async hasSession(): Promise<boolean> {
    await this.#driver.load();
    const { record, account } = this.#driver.session;
    return record?.tokens !== undefined && !record.dead && isSameAccount(account, record);
  }

  get [SOURCE_STATUS](): SourceStatus {
    return this.#driver.isClosed ? "closed" : "open";
  }

  get state(): SessionState | undefined {
    return this.#driver.state;
  }

  source(): string | undefined {
    const { state } = this.#driver;
    const isAbsent = state?.status === "dead" && (state.reason === "no_session" || state.reason === "signed_out");
    return isAbsent ? undefined : this.#driver.records.location;
  }

  /** For token pools and `createSessions`. */
  get [SESSION_ACCESS](): SessionAccess {
    return new DriverAccess(this.#driver);
  }

  subscribe(listener: (event: SessionEvent) => void): () => void {
    if (typeof listener !== "function")
      throw new TypeError(`listener: expected a function, not ${describeType(listener)}.`);
    return this.#driver.listeners.add(listener);
  }

  async close(): Promise<void> {
    const closed = this.#driver.close();
    if (this.#driver.isClosed) await Promise.allSettled([closed, this.#sharedSignIn?.close()]);
    return closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Returns whether the driver knows a session that is alive, and that this manager can use. */
async function isSignedIn({ state, session }: Driver, { refresh, clock }: Settings): Promise<boolean> {
  const { record, unrenewable } = session;
  if (!record || record.dead || state?.status === "dead" || record.tokens?.accessToken === unrenewable) return false;
  return assertTokenOrigin(refresh, record, clock).then(
    () => true,
    () => false,
  );
}

/** @throws TypeError */
function checkOver(over: SignInOptions["over"]): SignInOptions["over"] {
  checkOption("over", SIGN_IN_OPTIONS.over, over);
  return over;
}

const SIGN_IN_OPTIONS = { over: [z.literal("unreadable"), '"unreadable"'] } as const satisfies OptionTable;

const GET_OPTIONS = { minValidity: [durationSchema, "milliseconds, 0 or more"] } as const satisfies OptionTable;

const toAccessToken = (tokens: Promise<TokenSet>): Promise<string> =>
  hideResult(tokens.then(({ accessToken }) => accessToken));

/** Returns the event about a failed revocation. Its message says what became of the session. */
function revocationFailed(error: TokenEndpointError): SessionEvent {
  const problem = error.message.replace(/\.$/, "").replace(/^The token endpoint/, "The revocation endpoint");
  const cause = toResponse(error);
  return {
    type: "revocation-failed",
    message: `The session is signed out, but its tokens could not be revoked: ${problem}. The server may accept them until they expire.`,
    ...(cause && { cause }),
  };
}

const describeRecord = (record: SessionRecord, canRefresh: boolean): SessionInfo => {
  const { account, tokens, obtainedAt, dead } = record;
  return {
    account,
    expiresAt: tokens?.expiresAt,
    refreshTokenExpiresAt: tokens?.refreshTokenExpiresAt,
    scope: tokens?.scope,
    tokenType: tokens?.tokenType,
    obtainedAt,
    renewable: canRefresh && tokens?.refreshToken !== undefined && !dead,
    reason: verdictOf(record),
  };
};
