import { SignInFailedError, type SignInFailedReason, UnexpiredError } from "../errors.ts";
import { EMPTY_RECORD, type SessionRecord, type SignInClaim } from "../record/record.ts";
import type { Stored } from "../record/record-store.ts";
import { AttemptTracker } from "../refresh/attempt-tracker.ts";
import type { PendingChanges } from "../refresh/pending-changes.ts";
import type { Clock, SessionEvent, SignInFlow, SignInWithOptions, TokenSetInput, TokenStore } from "../types.ts";
import { abortable } from "../util/abortable.ts";
import { systemClock } from "../util/clock.ts";
import { wait } from "../util/wait.ts";

/** How long a claim is valid, in milliseconds. */
const LEASE = 5 * 60_000;
/** How much earlier its flow ends, so that the others learn of that before they take the claim for abandoned. */
const MARGIN = 10_000;
const FIRST_INTERVAL = 5;
const MAX_INTERVAL = 500;
/** How often a store is tried that has failed, and for how long it may keep the tokens of a flow waiting. */
const RETRY_INTERVAL = 1_000;
const SAVE_FOR = 10_000;

/** The failures that end the sign-in of every process that waits: the user was asked, and has not signed in. */
const SHARED: readonly SignInFailedReason[] = ["refused", "expired", "timeout", "mismatched"];

interface SharedSignInDeps {
  readonly pending: Pick<PendingChanges, "loadReplaceable" | "save">;
  readonly holder: TokenStore["holder"];
  readonly clock: Clock;
}

/** The manager as it is seen from here. */
interface SharedSignInHost {
  /** @throws TypeError */
  assertOpen(): void;
  /** Reports what is stored. `isOurs`: whether it is the result of a sign-in that this call waited for. */
  observe(record: SessionRecord | undefined, isOurs: boolean): void;
  /** Returns whether a session is alive, and can be used. */
  isSignedIn(): Promise<boolean>;
  /** Stores the tokens of a flow, and ends its claim. */
  signIn(tokens: TokenSetInput, claim: string): Promise<boolean>;
  announce(event: SessionEvent): void;
}

/** A call that waits, and what it has seen. */
interface Waiting extends SignInWithOptions {
  readonly tracker: AttemptTracker;
  /** The ID of the session whose access token is insufficient, whatever its access token is by now. */
  insufficientSession?: string | undefined;
  /** The ID of the claim that it waits for, or has waited for last. */
  awaited?: string;
  /** When the call looks again, in milliseconds. */
  interval: number;
}

/** Signs in once for all processes: the one that claims the sign-in runs its flow, and the others adopt the session. */
export class SharedSignIn {
  readonly #deps: SharedSignInDeps;
  readonly #host: SharedSignInHost;
  /** The calls that are running, and what ends their claims. */
  readonly #running = new Map<AbortController, Promise<unknown>>();
  readonly #releases = new Set<Promise<void>>();
  readonly #wakes = new Set<() => void>();

  constructor(deps: SharedSignInDeps, host: SharedSignInHost) {
    this.#deps = deps;
    this.#host = host;
  }

  /** See `TokenManager.signInWith`. */
  async run(flow: SignInFlow, options: SignInWithOptions): Promise<boolean> {
    const controller = new AbortController();
    const abort = () => controller.abort(options.signal?.reason);
    options.signal?.addEventListener("abort", abort, { once: true });
    if (options.signal?.aborted) abort();
    const running = this.#run(flow, { ...options, signal: controller.signal });
    this.#running.set(controller, running);
    return running.finally(() => {
      this.#running.delete(controller);
      options.signal?.removeEventListener("abort", abort);
    });
  }

  async #run(flow: SignInFlow, options: SignInWithOptions & { readonly signal: AbortSignal }): Promise<boolean> {
    const { clock, holder } = this.#deps;
    const call: Waiting = { ...options, tracker: new AttemptTracker(clock, holder), interval: FIRST_INTERVAL };
    try {
      for (;;) {
        this.#host.assertOpen();
        options.signal.throwIfAborted();
        const stored = await abortable(this.#deps.pending.loadReplaceable(), options.signal);
        if (await this.#isSignedIn(stored?.record, call)) return false;
        if (await this.#waitForOther(stored?.record.signIn, call)) continue;
        const claim = await this.#claim(stored, options.signal);
        if (claim) return await this.#prompt(flow, claim, options.signal);
      }
    } finally {
      call.tracker.close();
    }
  }

  /** Observes the stored record, and returns whether it holds a session for this call. */
  async #isSignedIn(record: SessionRecord | undefined, call: Waiting): Promise<boolean> {
    const isOurs = call.awaited !== undefined && isBegunBy(call.awaited, record);
    this.#host.observe(record, isOurs && record?.tokens !== undefined && !record.dead);
    if (!record?.tokens) return false;
    if (record.tokens.accessToken === call.insufficient) call.insufficientSession = record.session;
    return record.session !== call.insufficientSession && this.#host.isSignedIn();
  }

  /**
   * Waits a while if another process, or another call, has claimed the sign-in. Returns whether it did.
   *
   * @throws SignInFailedError if the sign-in that the call has waited for has failed
   */
  async #waitForOther(claim: SignInClaim | undefined, call: Waiting): Promise<boolean> {
    if (!claim) return false;
    const isKnown = claim.id === call.awaited;
    if (claim.failure !== undefined && isKnown) throw toSharedError(claim.failure);
    if (claim.failure !== undefined || (await this.#isFree(claim, call))) return false;
    if (!isKnown) {
      call.awaited = claim.id;
      this.#host.announce({ type: "sign-in-awaited", holder: await call.tracker.describeHolder(claim) });
    }
    await this.#pause(call.interval, call.signal);
    call.interval = Math.min(2 * call.interval, MAX_INTERVAL);
    return true;
  }

  /**
   * Returns whether a claim no longer counts. Unlike that of a refresh, it may also be old by the wall clock, and its holder be
   * alive: a second prompt costs no session.
   */
  async #isFree(claim: SignInClaim, { tracker, interval }: Waiting): Promise<boolean> {
    const { isAbandoned } = await tracker.check({ ...claim, status: "claimed" }, interval);
    return isAbandoned || this.#deps.clock.now() - claim.claimedAt >= claim.lease;
  }

  /** Waits until it is time to look again, the store has changed, or the call is aborted. */
  #pause(interval: number, signal: AbortSignal | null | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#wakes.delete(end);
        signal?.removeEventListener("abort", end);
        resolve();
      };
      const cancel = this.#deps.clock.setTimer(end, interval, true);
      this.#wakes.add(end);
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  /** Lets the calls that wait look again, because the store has changed. */
  wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }

  /** Claims the sign-in. Resolves to `undefined` if another process was first. */
  async #claim(stored: Stored | undefined, signal: AbortSignal): Promise<string | undefined> {
    const { clock, holder, pending } = this.#deps;
    const id = `${clock.randomId()}.${systemClock.randomId()}`; // the IDs of a clock may repeat
    const claim: SignInClaim = { id, holder: holder?.id, claimedAt: clock.now(), lease: LEASE };
    const saving = pending.save({ ...EMPTY_RECORD, ...stored?.record, signIn: claim }, stored);
    let isClaimed = false;
    try {
      const saved = await abortable(saving, signal);
      // not after a suspension for longer than the lease: another process may ask the user by now
      isClaimed = saved?.current?.signIn?.id === id && clock.now() - claim.claimedAt < LEASE;
    } finally {
      if (!isClaimed) void saving.catch(() => {}).then(() => this.#release(id)); // it may have been stored
    }
    return isClaimed ? id : undefined;
  }

  /** Runs the flow for as long as the claim is valid, stores its tokens, and ends the claim. */
  async #prompt(flow: SignInFlow, claim: string, caller: AbortSignal): Promise<boolean> {
    const limit = new AbortController();
    const stop = this.#deps.clock.setTimer(() => limit.abort(new SignInFailedError("timeout")), LEASE - MARGIN, true);
    const signal = AbortSignal.any([caller, limit.signal]);
    let failure: SignInFailedReason | undefined;
    let isStored = false;
    try {
      const tokens = await abortable((async () => flow({ signal }))(), signal).finally(stop);
      isStored = await this.#save(tokens, claim, caller);
      return isStored;
    } catch (error) {
      const reason = UnexpiredError.is(error) && error.code === "SIGN_IN_FAILED" ? error.reason : undefined;
      failure = SHARED.find((shared) => shared === reason);
      throw error;
    } finally {
      const released = isStored ? undefined : this.#release(claim, failure);
      if (!caller.aborted) await released;
    }
  }

  /** Stores the tokens. If the store is not available, tries again for a while: the user has signed in. */
  async #save(tokens: TokenSetInput, claim: string, caller: AbortSignal): Promise<boolean> {
    const { clock } = this.#deps;
    for (const until = clock.monotonic() + SAVE_FOR; ; ) {
      try {
        return await this.#host.signIn(tokens, claim);
      } catch (error) {
        const isUnavailable = UnexpiredError.is(error) && error.code === "STORE_UNAVAILABLE";
        if (!isUnavailable || caller.aborted || clock.monotonic() >= until) throw error;
        await wait(RETRY_INTERVAL, clock, caller).catch(() => {});
      }
    }
  }

  /** Ends a claim. If the store does not accept that, tries again for as long as others would wait for the claim. */
  #release(id: string, failure?: SignInFailedReason): Promise<void> {
    const { clock } = this.#deps;
    const until = clock.monotonic() + LEASE;
    const release = (): Promise<void> =>
      this.#saveEnd(id, failure).catch(() => {
        if (clock.monotonic() < until) clock.setTimer(() => void release(), RETRY_INTERVAL, false);
      });
    const released = release().finally(() => this.#releases.delete(released));
    this.#releases.add(released);
    return released;
  }

  async #saveEnd(id: string, failure: SignInFailedReason | undefined): Promise<void> {
    const { pending } = this.#deps;
    for (;;) {
      const stored = await pending.loadReplaceable();
      const claim = stored?.record.signIn;
      if (!stored || claim?.id !== id) return;
      const signIn = failure === undefined ? undefined : { ...claim, failure };
      if (await pending.save({ ...stored.record, signIn }, stored)) return;
    }
  }

  /** Ends the calls that are running, and waits until their claims are released, as far as the store allows. */
  async close(): Promise<void> {
    for (const controller of this.#running.keys()) controller.abort(CLOSED());
    await Promise.allSettled(this.#running.values());
    await Promise.all(this.#releases);
  }
}

const CLOSED = () => new TypeError("This token manager was closed before the sign-in was complete.");

/** Returns whether a claim has led to the session of a record, whose ID begins with that of the claim. */
const isBegunBy = (claim: string, record: SessionRecord | undefined): boolean =>
  record?.session?.startsWith(`${claim}.`) === true;

const toSharedError = (failure: string): SignInFailedError =>
  new SignInFailedError(SHARED.find((reason) => reason === failure) ?? "rejected");
