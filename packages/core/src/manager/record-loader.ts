import type { SessionRecord } from "../record/record.ts";
import type { PendingChanges } from "../refresh/pending-changes.ts";
import type { RecordSource } from "../refresh/renewal.ts";
import type { Clock, TokenStore } from "../types.ts";
import { StoreWatch } from "./store-watch.ts";

const LOOK_DEADLINE = 30_000;
const MAX_LOADS = 2;

interface LoaderHost {
  readonly pending: Pick<PendingChanges, "load">;
  observe(record: SessionRecord | undefined, source: RecordSource): void;
  /** Called when the store may have changed. */
  onChange(): void;
}

/** Loads the record for a manager, one load at a time, and watches the store from the first use on. */
export class RecordLoader {
  readonly #host: LoaderHost;
  readonly #clock: Clock;
  readonly #watch: StoreWatch;
  #loading: Promise<void> | undefined;
  #observations = 0;
  /** The monotonic time until which no other background load is started. */
  #lookUntil = Number.NEGATIVE_INFINITY;

  constructor(host: LoaderHost, { store, clock }: { readonly store: TokenStore; readonly clock: Clock }) {
    this.#host = host;
    this.#clock = clock;
    this.#watch = new StoreWatch(store, () => host.onChange());
  }

  /** Whether a load is running. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Must be called whenever a record was observed, because a load that is running may be older or newer. */
  onObserved(): void {
    this.#watch.start();
    this.#observations++;
  }

  /** Stops watching. */
  close(): void {
    this.#watch.stop();
  }

  /** Loads in a load that begins after the call. Concurrent calls share it. */
  async loadAgain(): Promise<void> {
    this.#watch.start(); // before loading, so that no change is missed in between
    await this.#loading?.catch(() => {}); // it may have missed a change that the caller knows of
    await this.load();
  }

  /** Loads, or joins a load that is running. */
  load(): Promise<void> {
    this.#watch.start();
    this.#loading ??= this.#loadRecord().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Loads in the background. If the load never ends, it blocks no caller, and further background loads only for 30 s. */
  look(): void {
    const now = this.#clock.monotonic();
    if (now < this.#lookUntil) return;
    this.#lookUntil = now + LOOK_DEADLINE;
    const end = () => {
      this.#lookUntil = Number.NEGATIVE_INFINITY;
    };
    void this.#loadRecord().then(end, end); // the next call that has to load runs into the same error
  }

  async #loadRecord(): Promise<void> {
    for (let loads = 0; loads < MAX_LOADS; loads++) {
      const before = this.#observations;
      const stored = await this.#host.pending.load();
      if (this.#observations === before) return this.#host.observe(stored?.record, "store");
      // a record that was observed during the load may be newer or older: load once more
    }
  }
}
