import { setTimeout as sleep } from "node:timers/promises";
import { Program } from "./program.ts";

interface Row {
  readonly disturbance: string;
  readonly happened: string;
  readonly isSurvived: boolean;
}

const DURATION = 30_000;

/** The disturbances of one run, and what became of them. */
export class Disturbances {
  readonly #program: string;
  readonly #rows: Row[] = [];
  readonly #started = performance.now();

  constructor(program: string) {
    this.#program = program;
  }

  /** Causes one disturbance. `cause` returns what happened, and throws if the program did not survive. */
  async survive(disturbance: string, cause: () => Promise<string> | string): Promise<void> {
    try {
      this.#rows.push({ disturbance, happened: await cause(), isSurvived: true });
    } catch (error) {
      const [happened = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
      this.#rows.push({ disturbance, happened, isSurvived: false });
    }
  }

  /** Waits until the program has worked for 30 seconds. */
  async complete(): Promise<void> {
    await sleep(Math.max(0, this.#started + DURATION - performance.now()));
  }

  /** Adds a row about the secrets: none of `tokens` is in what the processes have printed. */
  async checkOutput(tokens: ReadonlySet<string>): Promise<void> {
    await this.survive("everything that the processes print", () => {
      const leaks = Program.printed.filter((line) => [...tokens].some((token) => token !== "" && line.includes(token)));
      if (leaks.length > 0) throw new Error(`${leaks.length} lines show a token`);
      return `no token in ${Program.printed.length} lines`;
    });
  }

  /** Prints the table, and sets the exit code: 1 if a disturbance was not survived. */
  print(): void {
    const survived = this.#rows.filter(({ isSurvived }) => isSurvived).length;
    const seconds = Math.round((performance.now() - this.#started) / 1000);
    const cells = this.#rows.map(({ disturbance, happened, isSurvived }) => [
      disturbance,
      happened,
      isSurvived ? "yes" : "NO",
    ]);
    const table = [["disturbance", "what happened", "survived"], ...cells];
    const widths = [0, 1].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
    for (const row of table) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
    console.log(`\n${this.#program}: ${survived} of ${this.#rows.length} disturbances survived, in ${seconds} s`);
    if (survived < this.#rows.length) process.exitCode = 1;
  }
}
