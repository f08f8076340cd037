/**
 * Performs, on the packed packages, what real servers respond and what real HTTP clients hand over, and prints a table:
 * the input, the verdict, and what the caller gets, through all four adapters where it applies. `pnpm show:servers
 * [words]` runs the rows whose input contains the words. A row that shows anything but the right value is marked, and
 * makes the command fail.
 */
import { parseArgs } from "node:util";
import { installPacked } from "@unexpired-internal/tables/installed";
import { show } from "@unexpired-internal/tables/show";
import { CLIENTS, loadPacked, PACKAGES } from "./packed.ts";
import { groups } from "./rows/groups.ts";
import { Scene } from "./scene.ts";

const { values, positionals } = parseArgs({ options: { installed: { type: "string" } }, allowPositionals: true });
const COLUMNS = ["input", "verdict", "what the caller gets"] as const;

const consumer = values.installed === undefined ? installPacked(PACKAGES, [...CLIENTS, "--ignore-scripts"]) : undefined;
const packed = await loadPacked(consumer?.directory ?? values.installed ?? "");
const status = await show({ columns: COLUMNS, groups, createPlace: () => Scene.create(packed) }, positionals);
consumer?.[Symbol.dispose]();
process.exit(status); // a row that was given up may have left timers
