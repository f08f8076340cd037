/** The steps of a save before the new generation is linked under its name. */
export const BEFORE_LINK = [
  "before-save",
  "after-lock",
  "before-draft",
  "before-write",
  "half-write",
  "before-fsync",
  "after-draft",
  "before-projection",
  "after-projection",
  "before-link",
];

/** The steps after that: the value is stored. */
export const AFTER_LINK = [
  "after-link",
  "after-sync-directory",
  "before-unlink-draft",
  "before-rename",
  "after-rename",
  "before-unlink-projection",
  "before-unlock",
  "after-unlock",
  "after-save",
];

/** Returns the points at these steps of a phase. */
export const in_ = (phase: string, steps: readonly string[]): string[] => steps.map((step) => `${phase}/${step}`);
