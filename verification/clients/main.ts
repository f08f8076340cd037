/**
 * Runs the recipes of `docs/clients.md` on the real packages, with a real authorization server behind the session, and
 * prints a table for each thing that can happen to a request, and an overview: client by client, with the milliseconds
 * that an abort and "signed out" take to surface. `pnpm show:clients [words]` runs the clients whose name contains the
 * words. A row that shows anything but the right value is marked, and makes the command fail.
 */
import { Place } from "@unexpired-internal/clients/place";
import { groups } from "@unexpired-internal/clients/rows";
import { show } from "@unexpired-internal/tables/show";

const columns = ["client", "what the servers received", "what the caller got"] as const;
const createPlace = () => Place.create();
process.exitCode = await show({ columns, groups, createPlace, hasOverview: true }, process.argv.slice(2));
