import type { Scene } from "./scene.ts";

/** A row of the table. */
export interface Shown {
  /** The exchanges that were sent, and what is stored. */
  readonly happened: string;
  /** The result of the call, or its error. */
  readonly saw: string;
}

/** The right value of a row: text that it contains, or a pattern that it matches. */
export interface Expected {
  readonly happened: string | RegExp;
  readonly saw: string | RegExp;
}

/** A situation in which a machine can put a program, and what has to come of it. */
export interface Row {
  readonly situation: string;
  readonly expected: Expected;
  /** Returns why this machine cannot run the row, if it cannot. */
  readonly unable?: (() => string | undefined) | undefined;
  run(scene: Scene): Promise<Shown>;
}

/** A group of rows. */
export interface Group {
  readonly title: string;
  readonly rows: readonly Row[];
}

const fits = (text: string, expected: string | RegExp): boolean =>
  typeof expected === "string" ? text.includes(expected) : expected.test(text);

/** Returns whether a row shows the right values. */
export const isRight = (shown: Shown, expected: Expected): boolean =>
  fits(shown.happened, expected.happened) && fits(shown.saw, expected.saw);
