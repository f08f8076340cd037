import type * as tables from "@unexpired-internal/tables/row";
import type { Scene } from "./scene.ts";

/** A situation of a database, and what has to come of it. */
export type Row = tables.Row<Scene>;
