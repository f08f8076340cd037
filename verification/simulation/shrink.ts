import { type Choices, STREAMS, type Stream } from "./random.ts";
import type { RunOptions, RunResult } from "./run.ts";

/** Runs a seed with different choices. */
export type Rerun = (seed: number, options: RunOptions) => Promise<RunResult>;

const MOST_RUNS = 600;

/** Searches for a calmer run that violates the same invariant, with fewer faults, actions and reorderings. */
export async function shrink(failing: RunResult, rerun: Rerun): Promise<RunResult> {
  return new Shrinker(failing, rerun).shrink();
}

class Shrinker {
  #best: RunResult;
  readonly #rerun: Rerun;
  #runsLeft = MOST_RUNS;

  constructor(failing: RunResult, rerun: Rerun) {
    this.#best = failing;
    this.#rerun = rerun;
  }

  async shrink(): Promise<RunResult> {
    for (let before = Number.POSITIVE_INFINITY; weight(this.#best) < before && this.#runsLeft > 0; ) {
      before = weight(this.#best);
      for (const stream of ["failover", "fault", "action", "document", "user", "world", "schedule"] as const)
        await this.#calm(stream);
    }
    return this.#best;
  }

  /** Sets spans of one stream's choices to 0, then removes spans, from wide ones to single choices. */
  async #calm(stream: Stream): Promise<void> {
    for (let span = this.#length(stream); span >= 1; span = Math.floor(span / 2)) await this.#calmSpans(stream, span);
    if (stream === "world") return;
    for (const size of [8, 2, 1]) await this.#cutSpans(stream, size);
  }

  async #calmSpans(stream: Stream, span: number): Promise<void> {
    for (let start = 0; start < this.#length(stream) && this.#runsLeft > 0; start += span) {
      await this.#try(stream, calmed(this.#best.choices[stream], start, span));
    }
  }

  async #cutSpans(stream: Stream, size: number): Promise<void> {
    for (let start = this.#length(stream) - size; start >= 0 && this.#runsLeft > 0; start -= size) {
      await this.#try(stream, this.#best.choices[stream].toSpliced(start, size));
    }
  }

  #length(stream: Stream): number {
    return this.#best.choices[stream].length;
  }

  /** Keeps the change if it still violates the same invariant and makes the run simpler. */
  async #try(stream: Stream, changed: readonly number[]): Promise<void> {
    if (sum(changed) >= sum(this.#best.choices[stream])) return;
    this.#runsLeft--;
    const choices: Choices = { ...this.#best.choices, [stream]: changed };
    const result = await this.#rerun(this.#best.seed, { choices });
    const isSame = result.violation?.invariant === this.#best.violation?.invariant;
    if (isSame && weight(result) < weight(this.#best)) this.#best = result;
  }
}

const calmed = (choices: readonly number[], start: number, span: number): readonly number[] =>
  choices.map((choice, index) => (index >= start && index < start + span ? 0 : choice));

const sum = (choices: readonly number[]): number => choices.reduce((total, choice) => total + choice, 0);

/** The complexity of a run: faults weigh most, then actions, then steps. */
const weight = ({ choices, steps }: RunResult): number => {
  const made = (stream: Stream) => choices[stream].filter((choice) => choice !== 0).length;
  const cost = { failover: 1_000, fault: 1_000, action: 300, document: 200, user: 200, world: 100, schedule: 3 };
  return STREAMS.reduce((total, stream) => total + cost[stream] * made(stream), steps);
};
