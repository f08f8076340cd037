import { type DeadReason, UnexpiredError } from "@unexpired/core";
import type { SessionRecord } from "../../packages/core/src/record/record.ts";
import type { Call } from "./calls.ts";
import type { Invariants } from "./invariants.ts";
import type { SimulatedProcess } from "./process.ts";
import { readToken, shortAccess } from "./tokens.ts";
import type { World } from "./world.ts";

/** A token that expires this soon may have expired by the time of the verdict. */
const SOON = 60_000;

/** The reasons that no server gives: the session may come back, with the same access token. */
const NO_REFUSALS: readonly DeadReason[] = ["account_changed", "signed_out", "no_session"];

/** The invariants about what a verdict of the server takes away, and what it leaves. */
export class VerdictInvariants {
  readonly #world: World;
  readonly #invariants: Invariants;
  /** The access tokens that came with the ID token of another account. */
  readonly #foreign = new Set<string>();
  /** The access tokens that a program reported as rejected. */
  readonly #rejected = new Set<string>();
  /** Those for which a process was told to sign in, with its name. */
  readonly #toldRejected = new Set<string>();
  /** The digests of the refresh tokens with which the client was refused. */
  readonly #refusedClients = new Set<string>();
  readonly #given = new Map<SimulatedProcess, string>();

  constructor(world: World, invariants: Invariants) {
    this.#world = world;
    this.#invariants = invariants;
  }

  onForeign(accessToken: string): void {
    this.#foreign.add(accessToken);
  }

  onStart({ kind, accessToken }: Call): void {
    if (kind === "replace" && accessToken) this.#rejected.add(accessToken);
  }

  /** P14: tokens of another account are neither returned nor stored. */
  onResolved({ process }: Call, accessToken: string | undefined): void {
    if (accessToken === undefined) return;
    this.#given.set(process, accessToken);
    const text = () =>
      `${process.name} received ${shortAccess(readToken(accessToken))}, whose ID token names another account`;
    this.#invariants.require(!this.#foreign.has(accessToken), "P14", text);
    const isDead = this.#invariants.records.current?.dead !== undefined;
    const isRejected = this.#toldRejected.has(`${process.name} ${accessToken}`);
    const again = () =>
      `${process.name} received ${shortAccess(readToken(accessToken))}, which was rejected after a refusal`;
    this.#invariants.require(!isDead || !isRejected, "P10", again);
  }

  /** A refusal does not destroy a usable access token. */
  onRejected({ kind, process, accessToken }: Call, error: unknown): void {
    const isRefused =
      UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" && !NO_REFUSALS.includes(error.reason);
    if (kind === "replace" && isRefused) this.#toldRejected.add(`${process.name} ${accessToken}`);
    const given = this.#given.get(process);
    const dead = this.#invariants.records.current?.dead;
    const isEnded = UnexpiredError.is(error) && error.code === "SIGN_IN_REQUIRED" && kind === "get";
    if (!isEnded || given === undefined || dead?.reason !== "interaction_required") return;
    const isHeld = this.#invariants.book.find(dead.digest)?.family === readToken(given).family;
    const isUsable = isHeld && !this.#rejected.has(given) && this.#isUsable(given);
    const text = () => `${process.name} has to sign in, although ${shortAccess(readToken(given))} is usable`;
    this.#invariants.require(!isUsable, "P3", text);
  }

  /** P1: after a refusal of the client, the clock presents the token again only once the access token has expired. */
  checkPresented(process: SimulatedProcess, digest: string, accessToken: string): void {
    if (!this.#refusedClients.has(digest)) return;
    const { callers } = this.#invariants;
    const isWanted = callers.wantsNewer(process, accessToken) || callers.isRefreshing(process);
    const text = () =>
      `${process.name} presents a token after a refusal of the client, while its access token is usable`;
    this.#invariants.require(isWanted || !this.#isUsable(accessToken), "P1", text);
  }

  /** No record may tell any more that the client was refused. */
  onFailover(): void {
    this.#refusedClients.clear();
  }

  onRefusedClient(digest: string): void {
    this.#refusedClients.add(digest);
  }

  /** Whether no process can think that the token has expired: its expiry is by the clock of the one that obtained it. */
  #isUsable(accessToken: string): boolean {
    return !this.#world.isSkewed && this.#world.server.accepts(accessToken, SOON);
  }

  onRecord(before: SessionRecord | undefined, after: SessionRecord | undefined): void {
    if (!before || !after?.dead || before.dead) return;
    if (after.dead.reason === "interaction_required") this.#checkKept(before, after);
    // A server that consumed the refresh token before it refused the client has not reported a reuse, nor an expiry.
    const wasSpent = before.attempt?.mayBeSpent === true && before.attempt.digest === after.dead.digest;
    const isBlamed = after.dead.reason === "refresh_token_reused" || after.dead.reason === "session_expired";
    const text = () => `a refusal after one of the client is stored as ${after.dead?.reason}`;
    this.#invariants.require(!wasSpent || !isBlamed, "P3", text);
  }

  /** A verdict that leaves the refresh token to an explicit `refresh()` stores it. */
  #checkKept(before: SessionRecord, after: SessionRecord): void {
    const isKept =
      after.tokens?.refreshToken !== undefined && after.tokens.refreshToken === before.tokens?.refreshToken;
    const isOurs = this.#invariants.records.digestOf(before) === after.dead?.digest;
    this.#invariants.require(isKept || !isOurs, "P2", () => "a required interaction took the refresh token away");
  }
}
