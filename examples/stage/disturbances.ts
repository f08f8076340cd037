import { setTimeout as sleep } from "node:timers/promises";
import { Program } from "./program.ts";

const DURATION = 30_000;
const WIDTHS = [66, 10];

/** Prints the table of one run: each disturbance, as soon as it is over, and what became of it. */
export class Disturbances {
  readonly #program: string;
  readonly #survived: boolean[] = [];
  readonly #started = performance.now();

  constructor(program: string) {
    this.#program = program;
    printRow("disturbance", "survived", "what happened");
  }

  /** Causes one disturbance. `cause` returns what happened, and throws if the program did not survive. */
  async survive(disturbance: string, cause: () => Promise<string> | string): Promise<void> {
    try {
      this.#add(disturbance, { isSurvived: true, happened: await cause() });
    } catch (error) {
      const [happened = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      this.#add(disturbance, { isSurvived: false, happened });
    }
  }

  /** The rest of the 30 seconds, in milliseconds. */
  get remaining(): number {
    return Math.max(0, this.#started + DURATION - performance.now());
  }

  /** Waits until the program has worked for 30 seconds. */
  async complete(): Promise<void> {
    await sleep(this.remaining);
  }

  /** Adds a row about the secrets: none of `tokens` is in what the processes have printed. */
  async checkOutput(tokens: ReadonlySet<string>): Promise<void> {
    await this.survive("everything that the processes print", () => {
      const leaks = Program.printed.filter((line) => [...tokens].some((token) => token !== "" && line.includes(token)));
      if (leaks.length > 0) throw new Error(`${leaks.length} lines show a token`);
      return `no token in ${Program.printed.length} lines`;
    });
  }

  /** Prints the last line, and sets the exit code: 1 if a disturbance was not survived. */
  end(): void {
    const count = this.#survived.length;
    const survived = this.#survived.filter(Boolean).length;
    const seconds = Math.round((performance.now() - this.#started) / 1000);
    console.log(`\n${this.#program}: ${survived} of ${count} disturbances survived, in ${seconds} s`);
    if (survived < count) process.exitCode = 1;
  }

  #add(
    disturbance: string,
    { isSurvived, happened }: { readonly isSurvived: boolean; readonly happened: string },
  ): void {
    this.#survived.push(isSurvived);
    printRow(disturbance, isSurvived ? "yes" : "NO", happened);
  }
}

function printRow(...cells: readonly string[]): void {
  console.log(cells.map((cell, column) => cell.padEnd(WIDTHS[column] ?? 0)).join(""));
}
