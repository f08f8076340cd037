import type * as tables from "@unexpired-internal/tables/row";
import type { Scene } from "./scene.ts";

/** What a server or a client does, and what has to come of it. */
export type Row = tables.Row<Scene>;

export type { Expected, Shown } from "@unexpired-internal/tables/row";
