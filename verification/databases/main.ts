/**
 * Puts real databases through what happens to them, with sessions of a server in them, and prints a table for each: what happened,
 * how many exchanges and replays there were, and what the callers saw. `pnpm show:databases [words]` runs the rows whose
 * situation contains the words. A row that shows anything but the right value is marked, and makes the command fail.
 */
import type * as tables from "@unexpired-internal/tables/row";
import { show } from "@unexpired-internal/tables/show";
import type { Database, DatabaseKind } from "./database.ts";
import { postgresKinds } from "./postgres.ts";
import { redisKind } from "./redis.ts";
import { failoverRows } from "./rows/failovers.ts";
import { keyRows } from "./rows/keys.ts";
import { outageRows } from "./rows/outages.ts";
import { poolRows } from "./rows/pools.ts";
import { Scene } from "./scene.ts";

const COLUMNS = ["situation", "what happened", "what the callers saw"] as const;
const words = process.argv.slice(2);

async function showKind<D extends Database>(kind: DatabaseKind<D>, others: readonly tables.Row<Scene<D>>[] = []) {
  const missing = kind.missing();
  const rows = [...outageRows, ...poolRows, ...keyRows, ...others];
  const groups = [
    { title: kind.title, rows: missing === undefined ? rows : rows.map((row) => ({ ...row, unable: () => missing })) },
  ];
  await using database = missing === undefined ? await kind.start() : undefined;
  const createPlace = async () => {
    if (database) return Scene.create(database);
    throw new Error("A row that cannot run needs no place.");
  };
  return await show({ columns: COLUMNS, groups, createPlace }, words);
}

const codes: number[] = [];
for (const kind of postgresKinds) codes.push(await showKind(kind));
codes.push(await showKind(redisKind, failoverRows));
process.exit(Math.max(...codes));
