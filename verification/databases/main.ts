/**
 * Puts real databases through what happens to them, with sessions of a server in them, and prints a table for each: what happened,
 * how many exchanges and replays there were, and what the callers saw. `pnpm show:databases [words]` runs the rows whose
 * situation contains the words. A row that shows anything but the right value is marked, and makes the command fail.
 */
import { show } from "@unexpired-internal/tables/show";
import type { DatabaseKind } from "./database.ts";
import { postgresKinds } from "./postgres.ts";
import { keyRows } from "./rows/keys.ts";
import { outageRows } from "./rows/outages.ts";
import { poolRows } from "./rows/pools.ts";
import { Scene } from "./scene.ts";

const COLUMNS = ["situation", "what happened", "what the callers saw"] as const;
const words = process.argv.slice(2);

async function showKind(kind: DatabaseKind): Promise<number> {
  const rows = [...outageRows, ...poolRows, ...keyRows];
  const missing = kind.missing();
  if (missing !== undefined) {
    const unable = rows.map((row) => ({ ...row, unable: () => missing }));
    return show({ columns: COLUMNS, groups: [{ title: kind.title, rows: unable }], createPlace: never }, words);
  }
  await using database = await kind.start();
  return await show(
    { columns: COLUMNS, groups: [{ title: kind.title, rows }], createPlace: () => Scene.create(database) },
    words,
  );
}

const never = () => Promise.reject(new Error("A row that cannot run needs no place."));

const codes: number[] = [];
for (const kind of postgresKinds) codes.push(await showKind(kind));
process.exit(Math.max(...codes));
