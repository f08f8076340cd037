/** Support for stores that keep a session in two places and have to compare them. */
export { isOtherAccount, reconcileRecords } from "./record/reconcile.ts";
export { recordKindOf } from "./record/record.ts";
