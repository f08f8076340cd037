import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const WRITER = fileURLToPath(new URL("foreign-writer.ts", import.meta.url));

/** How our processes write the document: by renaming a new file, or in place, because it cannot be replaced. */
export type DocumentKind = "document" | "in-place";

/** The other program's own count of its writes. */
export interface ForeignReport {
  readonly writes: number;
  /** How often a number was missing at its next look. */
  readonly lost: number;
  /** How often it found a document that was not complete. */
  readonly torn: number;
}

/** A process that rewrites the document until it is ended. */
export class Foreign {
  readonly #process: ReturnType<typeof fork>;

  constructor(path: string) {
    this.#process = fork(WRITER, [path], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  }

  async end(): Promise<ForeignReport> {
    this.#process.send("end");
    const [report] = (await once(this.#process, "message")) as [ForeignReport];
    return report;
  }

  [Symbol.dispose](): void {
    this.#process.kill("SIGKILL");
  }
}
