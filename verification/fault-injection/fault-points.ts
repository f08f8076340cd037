import { DOCUMENT_POINTS } from "./document-points.ts";
import {
  type Expected,
  type FaultPoint,
  fine,
  held,
  heldPastLease,
  heldTooLong,
  kill,
  LOST,
  lost,
  OK,
  points,
  stop,
} from "./expectations.ts";
import { PROFILE_POINTS } from "./profile-points.ts";
import { SIGN_IN_POINTS } from "./sign-in-points.ts";
import { AFTER_LINK, BEFORE_LINK, in_ } from "./steps.ts";
import { STORAGE_POINTS } from "./storage-points.ts";
import { TAKEOVER_POINTS } from "./takeover-points.ts";

/** A server may or may not process a request whose sender has died. */
const perhapsLost: Expected = { ...lost, others: [...OK, ...LOST], next: [...OK, ...LOST] };

const KILLS = [
  ...kill(fine)("look/before-load", "look/after-load"),
  ...kill(fine)(...in_("claim", [...BEFORE_LINK, ...AFTER_LINK])),
  ...kill(fine)("exchange/before-send"),
  ...kill(perhapsLost)("exchange/request-written"),
  ...kill(lost)("exchange/response-arrived"),
  ...kill(lost)(...in_("commit", BEFORE_LINK)),
  ...kill(fine)(...in_("commit", AFTER_LINK)),
];

const STOPS = [
  ...stop(fine)("look/after-load", ...in_("claim", ["after-lock", "before-draft", "after-draft", "before-link"])),
  ...stop(held)(...in_("claim", ["after-link", "before-rename", "before-unlock", "after-save"])),
  ...stop(held)("exchange/before-send", "exchange/response-arrived"),
  ...stop(heldTooLong)("exchange/request-written"),
  ...stop(held)(...in_("commit", ["after-lock", "before-draft", "after-draft", "before-link"])),
  ...stop(fine)(...in_("commit", ["after-link", "before-rename", "before-unlock", "after-save"])),
  ...points("stop", "stop-past-lease", heldPastLease)("claim/after-link", "exchange/before-send"),
  ...points("stop", "stop-past-lease", heldPastLease)("exchange/response-arrived", "commit/before-link"),
];

const LOCKS = points("lock", "none", fine)("claim/after-lock", "commit/after-lock");

export const FAULT_POINTS: readonly FaultPoint[] = [
  ...KILLS,
  ...STOPS,
  ...LOCKS,
  ...STORAGE_POINTS,
  ...TAKEOVER_POINTS,
  ...PROFILE_POINTS,
  ...DOCUMENT_POINTS,
  ...SIGN_IN_POINTS,
];
