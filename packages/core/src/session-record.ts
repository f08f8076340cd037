/** Support for stores that keep a session in two places and have to compare them. */
export { reconcileRecords } from "./record/reconcile.ts";
export { recordKindOf } from "./record/record.ts";
