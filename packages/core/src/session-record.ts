/** Support for stores that keep a session in two places and have to compare them. */
export { recordOfFound, type Shown, shownOf, signedOutRecord } from "./record/document-session.ts";
export { isOfAccount, primaryOf, withoutPrimary, withPrimary } from "./record/primary.ts";
export { reconcileRecords } from "./record/reconcile.ts";
export { recordKindOf } from "./record/record.ts";
