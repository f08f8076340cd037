/** The layers of packages, and the imports that break them. Pure, so that it can be tested: sources in, problems out. */
import { posix } from "node:path";
import ts from "typescript";

/** A package whose folders are layers. */
export interface LayeredPackage {
  /** Its name under `packages/`. */
  readonly package: string;
  /**
   * The folders and top-level files of its `src`, from top to bottom. Imports go down: to any later row, never to an
   * earlier one, nor to another entry of the same row. A name that does not exist is ignored.
   */
  readonly layers: readonly (readonly string[])[];
}

export const LAYERED: readonly LayeredPackage[] = [
  {
    package: "core",
    layers: [
      ["index", "adapter", "oauth2", "session-record"],
      ["sessions"],
      ["manager"],
      ["refresh"],
      ["sources", "pool", "flows"],
      ["record", "token-endpoint", "stores", "sealing", "http"],
      ["tokens"],
      ["util"],
      ["errors", "session-format"],
      ["types"],
    ],
  },
  {
    package: "store-keychain",
    layers: [
      ["index"],
      ["file-fallback"],
      ["keychain-store", "keychain-item"],
      ["documents"],
      ["machine-store"],
      ["storage"],
      ["options"],
      ["backends"],
      ["secret-service"],
      ["timeout"],
      ["errors"],
    ],
  },
];

/** An import of one file of a package by another. Paths are relative to `src`. */
export interface Import {
  readonly from: string;
  readonly to: string;
}

/**
 * Lists the imports between the files of a package, types included. `sources` maps each file's path, relative to
 * `src`, to its text. A package that imports itself by its own name imports its entry point.
 */
export function importsOf(name: string, sources: ReadonlyMap<string, string>): Import[] {
  const self = `@unexpired/${name}`;
  const resolve = (from: string, specifier: string): string | undefined => {
    if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
    if (specifier === self) return "index.ts";
    return specifier.startsWith(`${self}/`) ? `${specifier.slice(self.length + 1)}.ts` : undefined;
  };
  return [...sources].flatMap(([from, text]) =>
    ts.preProcessFile(text).importedFiles.flatMap(({ fileName }) => {
      const to = resolve(from, fileName);
      return to === undefined ? [] : [{ from, to }];
    }),
  );
}

/** The folder that a file is in, or its name without `.ts` if it is at the top. */
const unitOf = (file: string): string => file.split("/")[0]?.replace(/\.ts$/, "") ?? "";

/** Reports the imports that do not go down, and the files that are in no layer. A circle has at least one such import. */
export function layerProblems(
  { layers }: LayeredPackage,
  files: readonly string[],
  imports: readonly Import[],
): string[] {
  const rowOf = new Map(layers.flatMap((units, row) => units.map((unit) => [unit, row] as const)));
  const homeless = files.filter((file) => !rowOf.has(unitOf(file)));
  const wrong = imports.filter(({ from, to }) => {
    const [above, below] = [rowOf.get(unitOf(from)), rowOf.get(unitOf(to))];
    return unitOf(from) !== unitOf(to) && above !== undefined && below !== undefined && below <= above;
  });
  return [
    ...homeless.map((file) => `${file} is in no layer: add it to scripts/layers.ts`),
    ...wrong.map(({ from, to }) => `${from} imports ${to}: ${unitOf(from)} is not above ${unitOf(to)}`),
  ];
}

/** Draws the graph between folders: one line for each, from top to bottom, with what it imports. */
export function drawGraph({ layers }: LayeredPackage, files: readonly string[], imports: readonly Import[]): string {
  const listed = layers.flat();
  const present = new Set(files.map(unitOf));
  const units = [
    ...listed.filter((unit) => present.has(unit)),
    ...[...present].filter((unit) => !listed.includes(unit)),
  ];
  const width = Math.max(...units.map((unit) => unit.length));
  const lines = units.map((unit) => {
    const targets = new Set(imports.filter(({ from }) => unitOf(from) === unit).map(({ to }) => unitOf(to)));
    const others = units.filter((other) => other !== unit && targets.has(other));
    return others.length === 0 ? `  ${unit}` : `  ${unit.padEnd(width)} → ${others.join(", ")}`;
  });
  return lines.join("\n");
}
