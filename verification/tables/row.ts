/** The values that a row shows. */
export interface Shown {
  /** The second column: what happened, such as the exchanges that were sent and what is stored. */
  readonly happened: string;
  /** The third column: the result of the call, or its error. */
  readonly saw: string;
}

/** The right value of a row: text that it contains, or a pattern that it matches. */
export interface Expected {
  readonly happened: string | RegExp;
  readonly saw: string | RegExp;
}

/** The place of one row: whatever it needs to run. */
export interface Place extends AsyncDisposable {
  /** The exchanges so far, for a row that fails. */
  readonly exchanges: string;
  /** Removes what differs between two runs or two machines. */
  tidy(text: string): string;
}

/** A situation, and what has to come of it. */
export interface Row<P extends Place> {
  readonly situation: string;
  readonly expected: Expected;
  /** Returns why this machine cannot run the row, if it cannot. */
  readonly unable?: (() => string | undefined) | undefined;
  run(place: P): Promise<Shown>;
}

/** A group of rows. */
export interface Group<P extends Place> {
  readonly title: string;
  readonly rows: readonly Row<P>[];
}

const fits = (text: string, expected: string | RegExp): boolean =>
  typeof expected === "string" ? text.includes(expected) : expected.test(text);

/** Returns whether a row shows the right values. */
export const isRight = (shown: Shown, expected: Expected): boolean =>
  fits(shown.happened, expected.happened) && fits(shown.saw, expected.saw);
