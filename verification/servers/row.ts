import type * as tables from "@unexpired-internal/tables/row";
import type { Scene } from "./scene.ts";

/** An input from a server or a client, and its right outcome. */
export type Row = tables.Row<Scene>;

export type { Expected, Shown } from "@unexpired-internal/tables/row";
