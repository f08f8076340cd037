/** Support for stores that keep a session in two places and have to compare them, and for formats of documents. */
export { isNoLaterThan, isReplacedIn, withSpent } from "./record/copies.ts";
export { recordOfFound, type Shown, sessionOf, shownOf, signedOutRecord } from "./record/document-session.ts";
export { isOfAccount, primaryOf, withoutPrimary, withPrimary } from "./record/primary.ts";
export { reconcileRecords } from "./record/reconcile.ts";
export { recordKindOf, type StoredClient } from "./record/record.ts";
export { loadClient, updateClient } from "./record/stored-client.ts";
export { type IsoTime, readIsoTime } from "./tokens/iso-time.ts";
