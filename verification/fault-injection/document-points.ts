import { type FaultPoint, fine, held, kill, lost, type PointProperties, points, stop } from "./expectations.ts";
import { in_ } from "./steps.ts";

const replaced: PointProperties = { ...fine, document: "document" };
const inPlace: PointProperties = { ...fine, document: "in-place" };

/** The steps of replacing the document, once the session is stored. */
const REPLACING = [
  "before-announcement",
  "after-announcement",
  "before-projection",
  "after-projection",
  "before-keep",
  "after-keep",
  "before-rename",
  "after-rename",
  "before-mark",
  "after-mark",
];

/** The steps of writing the document in place. */
const OVERWRITING = ["before-copy", "after-copy", "before-overwrite", "half-overwrite", "after-overwrite"];

/** Fault points with the session in the document of another program, which rewrites it all the time. */
export const DOCUMENT_POINTS: readonly FaultPoint[] = [
  ...kill(replaced)(...in_("look", ["before-draft", "before-link", "after-link"])),
  ...kill(replaced)("claim/before-link", "claim/after-link", "exchange/before-send"),
  ...kill({ ...lost, document: "document" })("exchange/response-arrived", "commit/before-link"),
  ...kill(replaced)("commit/after-link", ...in_("commit", REPLACING)),
  ...kill(inPlace)(...in_("commit", OVERWRITING)),
  ...stop(replaced)(...in_("commit", ["after-projection", "after-keep", "after-rename"])),
  ...stop({ ...held, document: "document" })("claim/after-link", "exchange/response-arrived"),
  ...points("disk", "limit-files", { ...replaced, repair: "lift-limit" })("commit/before-projection"),
];
