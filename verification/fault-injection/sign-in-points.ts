import { type FaultPoint, fine, kill, OK, type PointProperties, points, stop } from "./expectations.ts";
import { AFTER_LINK, BEFORE_LINK, in_ } from "./steps.ts";
import { UNAVAILABLE } from "./storage-points.ts";
import { killed, withSecondFaults } from "./takeover-points.ts";

/** The round begins without a session; all processes call `signInWith`, and the user sees one prompt. */
const once: PointProperties = { ...fine, prompts: 1 };

/** The process with the fault has shown its prompt, and ends without a session: another one has to ask again. */
const twice: PointProperties = { ...once, prompts: 2 };

/** The user refuses: all that wait for that prompt report it, nothing is stored, and the next process asks. */
const REFUSED = ["SIGN_IN_FAILED refused"];
const refused: PointProperties = { ...once, victim: REFUSED, others: REFUSED, isRefused: true };

/** Only a process that is late has to remove its copy for the session file. */
const afterLink = AFTER_LINK.filter((step) => step !== "before-unlink-projection");

const KILLS = [
  ...kill(once)(...in_("sign-in-claim", [...BEFORE_LINK, ...afterLink])),
  ...kill(twice)("sign-in-prompt/asked", "sign-in-prompt/responded"),
  ...kill(twice)(...in_("sign-in-commit", BEFORE_LINK)),
  ...kill(once)(...in_("sign-in-commit", afterLink)),
  ...kill({ ...refused, prompts: 2 })(
    ...in_("sign-in-end", ["before-save", "before-draft", "half-write", "before-link"]),
  ),
  ...kill(refused)(...in_("sign-in-end", ["after-link", "before-rename", "after-save"])),
];

/** Second faults after the first process was killed with its claim. */
const SECOND = [
  ...withSecondFaults(
    once,
    killed("sign-in-claim/before-link", "sign-in-claim/after-link", "sign-in-commit/after-link"),
  ),
  ...withSecondFaults(twice, killed("sign-in-prompt/asked", "sign-in-prompt/responded", "sign-in-commit/before-link")),
];

const HELD = ["sign-in-prompt/asked", "sign-in-prompt/responded"];
const SAVING = ["after-lock", "before-draft", "after-draft", "before-link"];
const SAVED = ["after-link", "before-rename", "before-unlock", "after-save"];

/** However long a process is stopped within its lease: it keeps its claim, and the others wait. */
const STOPS = [
  ...stop(once)(...in_("sign-in-claim", [...SAVING, ...SAVED]), ...HELD),
  ...stop(once)(...in_("sign-in-commit", [...SAVING, ...SAVED])),
  ...stop(refused)(...in_("sign-in-end", ["before-link", "after-link"])),
];

/** Stopped while the others wait, then killed. */
const stopAndKill = (properties: PointProperties) =>
  points("kill", "stop-and-kill", { ...properties, victim: ["gone"] });

const STOPPED_KILLS = [
  ...stopAndKill(once)("sign-in-claim/before-link", "sign-in-claim/after-link", "sign-in-commit/after-link"),
  ...stopAndKill(twice)(...HELD, "sign-in-commit/before-link"),
];

const limit = { victim: UNAVAILABLE, repair: "lift-limit" } as const;
const fill = { victim: UNAVAILABLE, repair: "free-disk" } as const;

/** A session that cannot be saved is an error; the others ask again once the end of the claim is saved. */
const DISK = [
  ...points("disk", "limit-files", { ...once, ...limit })("sign-in-claim/before-draft"),
  ...points("disk", "limit-files", { ...twice, ...limit, isRepairedFirst: true })(
    ...HELD,
    "sign-in-commit/before-write",
  ),
  // The session is saved; the first to claim its exchange may be the process that can write nothing.
  ...points("disk", "limit-files", { ...once, ...limit, victim: [...OK, ...UNAVAILABLE] })(
    "sign-in-commit/before-projection",
  ),
  ...points("disk", "fill-disk", { ...once, ...fill, others: UNAVAILABLE })("sign-in-claim/before-draft"),
  ...points("disk", "fill-disk", { ...twice, ...fill, isRepairedFirst: true })(...HELD, "sign-in-commit/before-draft"),
];

const LOCKS = points("lock", "none", once)("sign-in-claim/after-lock", "sign-in-commit/after-lock");

/** Fault points around `signInWith`. */
export const SIGN_IN_POINTS: readonly FaultPoint[] = [
  ...KILLS,
  ...SECOND.flatMap((properties) => kill(properties)("sign-in-claim/after-link")),
  ...withSecondFaults(twice, killed("sign-in-claim/after-link")).flatMap((properties) =>
    kill(properties)("sign-in-prompt/responded"),
  ),
  ...STOPS,
  ...STOPPED_KILLS,
  ...DISK,
  ...LOCKS,
  ...points("files", "none", refused)("sign-in-end/after-save"),
];
