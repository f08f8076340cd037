import type { SessionRecord } from "../record/record.ts";
import type { Clock } from "../types.ts";

const LOOK_DEADLINE = 30_000;
const MAX_LOADS = 2;

interface LoaderHost {
  load(): Promise<SessionRecord | undefined>;
  observe(record: SessionRecord | undefined): void;
}

/** Loads the record for a manager, one load at a time. */
export class RecordLoader {
  readonly #host: LoaderHost;
  readonly #clock: Clock;
  #loading: Promise<void> | undefined;
  #observations = 0;
  /** The monotonic time until which no other background load is started. */
  #lookUntil = Number.NEGATIVE_INFINITY;

  constructor(host: LoaderHost, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** Whether a load is running. */
  get isLoading(): boolean {
    return this.#loading !== undefined;
  }

  /** Must be called whenever a record was observed, because a load that is running may be older or newer. */
  onObserved(): void {
    this.#observations++;
  }

  /** Loads in a load that begins after the call. Concurrent calls share it. */
  async loadAgain(): Promise<void> {
    await this.#loading?.catch(() => {}); // it may have missed a change that the caller knows of
    await this.load();
  }

  /** Loads, or joins a load that is running. */
  load(): Promise<void> {
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
      const record = await this.#host.load();
      if (this.#observations === before) return this.#host.observe(record);
      // a record that was observed during the load may be newer or older: load once more
    }
  }
}
