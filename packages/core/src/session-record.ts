/** Support for stores that keep a session in two places and have to compare them. */
export { reconcileRecords } from "./record/reconcile.ts";
