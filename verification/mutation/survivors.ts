/** Compares the surviving mutants with the explained ones. */

interface Position {
  readonly line: number;
  readonly column: number;
}

/** The relevant part of one of Stryker's results. Lines and columns count from 1. */
export interface Mutant {
  readonly file: string;
  readonly mutatorName: string;
  readonly replacement?: string | undefined;
  readonly status: string;
  readonly location: { readonly start: Position; readonly end: Position };
}

/** The mutants of each file that may survive, as `<mutator>: <original> => <replacement>`, with the reasons. */
export type Survivors = Readonly<
  Record<string, readonly { readonly why: string; readonly mutants: readonly string[] }[]>
>;

export interface Comparison {
  /** Survivors without an explanation, with their line numbers. */
  readonly unexplained: readonly string[];
  /** Explained mutants that no longer survive. */
  readonly gone: readonly string[];
}

/** Compares the results of a run over all or some files with the explained survivors. */
export function compare(
  results: readonly Mutant[],
  explained: Survivors,
  sourceOf: (file: string) => string,
): Comparison {
  const unexplained: string[] = [];
  const gone: string[] = [];
  for (const file of new Set(results.map((mutant) => mutant.file))) {
    const left = (explained[file] ?? []).flatMap((group) => group.mutants);
    for (const mutant of results.filter((other) => other.file === file && isAlive(other))) {
      const name = nameOf(mutant, sourceOf(file));
      const index = left.indexOf(name);
      if (index >= 0) left.splice(index, 1);
      else unexplained.push(`${file}:${mutant.location.start.line} ${name}`);
    }
    gone.push(...left.map((name) => `${file} ${name}`));
  }
  return { unexplained, gone };
}

const isAlive = ({ status }: Mutant): boolean => status === "Survived" || status === "NoCoverage";

function nameOf({ mutatorName, replacement = "", location: { start, end } }: Mutant, source: string): string {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  const last = lines.length - 1;
  lines[last] = (lines[last] ?? "").slice(0, end.column - 1);
  lines[0] = (lines[0] ?? "").slice(start.column - 1);
  return `${mutatorName}: ${inOneLine(lines.join("\n"))} => ${inOneLine(replacement)}`;
}

const inOneLine = (text: string): string => text.replace(/\s+/g, " ").trim();
