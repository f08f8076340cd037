import type { SessionFormat } from "@unexpired/core";
import type { MutantInfo } from "../../describe-mutants.ts";

/** A session format with one fault. */
export interface Mutant extends MutantInfo {
  /** Returns a faulty copy of a format. */
  spoil(format: SessionFormat): SessionFormat;
}

/** Changes the text that is printed. */
export const printing =
  (change: (text: string, found: string | undefined) => string | undefined): Mutant["spoil"] =>
  (format) => ({
    ...format,
    print(session, found) {
      const text = format.print(session, found);
      return text === undefined ? undefined : change(text, found);
    },
  });

/** Changes what is parsed. */
export const parsing =
  (change: (parsed: NonNullable<ReturnType<SessionFormat["parse"]>>) => unknown): Mutant["spoil"] =>
  (format) => ({
    ...format,
    parse(text) {
      const parsed = format.parse(text);
      return parsed && (change(parsed) as typeof parsed);
    },
  });
