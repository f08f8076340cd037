import { type Expected, type FaultPoint, fine, LOST, lost, OK, points } from "./expectations.ts";
import { STORAGE_POINTS } from "./storage-points.ts";

/** The steps of a save up to the moment that the new generation has its name. */
const BEFORE_LINK = [
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

/** The steps after it: the value is stored. */
const AFTER_LINK = [
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

const in_ = (phase: string, steps: readonly string[]) => steps.map((step) => `${phase}/${step}`);

/** Whether the server still processes a request whose sender is gone is up to it. */
const perhapsLost: Expected = { ...lost, others: [...OK, ...LOST], next: [...OK, ...LOST] };

const kill = (expected: Expected) => points("kill", "kill", { ...expected, victim: ["gone"] });
const stop = (expected: Expected) => points("stop", "stop", expected);

const KILLS = [
  ...kill(fine)("look/before-load", "look/after-load"),
  ...kill(fine)(...in_("claim", [...BEFORE_LINK, ...AFTER_LINK])),
  ...kill(fine)("exchange/before-send"),
  ...kill(perhapsLost)("exchange/request-written"),
  ...kill(lost)("exchange/answer-arrived"),
  ...kill(lost)(...in_("commit", BEFORE_LINK)),
  ...kill(fine)(...in_("commit", AFTER_LINK)),
];

/** Whoever wakes up with tokens of a grant that the server has revoked meanwhile is told so, in one way or another. */
const REVOKED = [
  "401", // the token is too new for another exchange: the 401 is surfaced
  "SIGN_IN_REQUIRED session_expired",
  "SIGN_IN_REQUIRED revoked",
  "REFRESH_FAILED",
  ...LOST,
];

const wokenTooLate: Expected = { ...lost, victim: REVOKED, next: REVOKED, exchanges: 3 };
const sentTooLate: Expected = {
  others: OK,
  victim: [...OK, ...REVOKED],
  next: [...OK, ...REVOKED],
  exchanges: 3,
  revoked: 1,
};

const STOPS = [
  ...stop(fine)("claim/before-link", "claim/after-link", "claim/after-save"),
  ...stop(sentTooLate)("exchange/before-send"),
  ...stop(wokenTooLate)("exchange/request-written", "exchange/answer-arrived", "commit/before-link"),
  ...stop(fine)("commit/after-link", "commit/before-rename", "commit/before-unlock"),
];

const LOCKS = points("lock", "none", fine)("claim/after-lock", "commit/after-lock");

export const FAULT_POINTS: readonly FaultPoint[] = [...KILLS, ...STOPS, ...LOCKS, ...STORAGE_POINTS];
