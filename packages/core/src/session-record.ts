/** Support for stores that keep a session in two places and have to compare them. */
export { isOtherAccount, reconcileRecords } from "./record/reconcile.ts";
export { holdsRecord } from "./record/record.ts";
