/** Support for stores that keep a session in two places and have to compare them. */
export {
  type FoundSession,
  recordOfFound,
  type Shown,
  type ShownSession,
  shownOf,
  signedOutRecord,
} from "./record/document-session.ts";
export { reconcileRecords } from "./record/reconcile.ts";
export { recordKindOf } from "./record/record.ts";
