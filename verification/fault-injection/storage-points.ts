import { type FaultPoint, fine, lost, OK, points } from "./expectations.ts";

export const UNAVAILABLE = ["STORE_UNAVAILABLE"];
const UNREADABLE = ["STORE_UNREADABLE"];
const NO_SESSION = ["SIGN_IN_REQUIRED no_session"];

/** No process can claim: nothing is sent, every process reports why, and the next process makes the exchange. */
const refused = { ...fine, victim: UNAVAILABLE, others: UNAVAILABLE };
const unreadable = { ...fine, victim: UNREADABLE, others: UNREADABLE };
/** Received tokens are used from memory and written as soon as possible; the others wait for them. */
const writtenLater = { ...fine, isRepairedFirst: true };

const DISK = [
  ...points("disk", "limit-files", { ...fine, victim: UNAVAILABLE, repair: "lift-limit" })("claim/before-draft"),
  ...points("disk", "limit-files", { ...writtenLater, repair: "lift-limit" })(
    "claim/before-projection",
    "commit/before-draft",
    "commit/before-write",
  ),
  ...points("disk", "limit-files", { ...fine, repair: "lift-limit" })("commit/before-projection"),
  ...points("disk", "fill-disk", { ...refused, repair: "free-disk" })("claim/before-draft"),
  ...points("disk", "fill-disk", { ...writtenLater, repair: "free-disk" })(
    "exchange/before-send",
    "commit/before-draft",
  ),
  ...points("disk", "fill-disk", {
    ...writtenLater,
    victim: [...OK, "closed"],
    closes: "saved",
    repair: "free-disk",
  })("commit/before-draft", "commit/before-write"),
  ...points("disk", "fill-disk", {
    ...lost,
    victim: [...OK, ...UNAVAILABLE],
    others: UNAVAILABLE,
    closes: "lost",
    repair: "free-disk",
  })("commit/before-draft"),
];

/** A process that has seen the session reports an unavailable store; a new process finds no session. */
const vanished = { ...fine, others: [...NO_SESSION, ...UNAVAILABLE], next: NO_SESSION };

const DIRECTORY = [
  ...points("files", "remove-directory", { ...vanished, victim: UNAVAILABLE })("claim/before-link"),
  ...points("files", "remove-directory", vanished)("exchange/before-send", "commit/before-link"),
  ...points("files", "remove-chain", fine)("claim/after-save", "exchange/before-send", "commit/before-link"),
  ...points("files", "remove-file", fine)("look/after-load", "exchange/before-send", "commit/before-link"),
];

const PERMISSIONS = [
  ...points("files", "forbid-writing", { ...refused, repair: "allow" })("claim/before-draft"),
  ...points("files", "forbid-writing", { ...writtenLater, repair: "allow" })("commit/before-draft"),
  ...points("files", "forbid-directory", { ...unreadable, repair: "allow" })("look/after-load"),
  ...points("files", "forbid-directory", { ...unreadable, victim: OK, repair: "allow" })("exchange/before-send"),
  ...points("files", "forbid-reading", { ...fine, others: [...OK, ...UNREADABLE], repair: "allow" })(
    "claim/after-save",
  ),
];

const startsOver = { ...unreadable, next: NO_SESSION, repair: "put-away" } as const;

/** The commit replaces a session file without a session; who looks before that reports it. */
const replaced = { victim: OK, others: [...OK, ...UNREADABLE] };

const CORRUPTION = [
  ...points("files", "corrupt-file", { ...unreadable, repair: "remove-file" })("look/after-load"),
  ...points("files", "corrupt-file", { ...unreadable, repair: "remove-file", ...replaced })("exchange/before-send"),
  ...points("files", "convert-file", { ...unreadable, repair: "remove-file" })("look/after-load"),
  ...points("files", "convert-file", { ...unreadable, repair: "remove-file", ...replaced })("exchange/before-send"),
  ...points("files", "enlarge-file", { ...unreadable, repair: "remove-file" })("look/after-load"),
  ...points("files", "enlarge-file", { ...unreadable, victim: OK, repair: "remove-file" })("exchange/before-send"),
  ...points("files", "add-odd-number", { ...unreadable, repair: "remove-number" })("look/after-load"),
  ...points("files", "add-odd-number", { ...unreadable, victim: OK, repair: "remove-number" })("exchange/before-send"),
  ...points("files", "mark-file", fine)("look/after-load", "exchange/before-send", "commit/before-link"),
  ...points("files", "blank-file", fine)("claim/after-save", "commit/before-link"),
  ...points("files", "corrupt-file", fine)("commit/before-rename"),
  ...points("files", "truncate-file", fine)("claim/after-save", "commit/before-link"),
  ...points("files", "tear-file", fine)("claim/after-save", "commit/before-link"),
  ...points("files", "corrupt-head", { ...startsOver, exchanges: 0 })("claim/before-draft"),
  ...points("files", "corrupt-head", { ...startsOver, victim: OK })("exchange/before-send"),
];

/** Faults of the disk, the directory, the permissions and the content of files around an exchange. */
export const STORAGE_POINTS: readonly FaultPoint[] = [...DISK, ...DIRECTORY, ...PERMISSIONS, ...CORRUPTION];
