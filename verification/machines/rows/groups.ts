import type { Group } from "@unexpired-internal/tables/row";
import type { Scene } from "../scene.ts";
import { fullDiskRows } from "./disks.ts";
import { changedFileRows } from "./files.ts";
import { kitRows } from "./kits.ts";
import { mountRows, sharedHomeRow } from "./mounts.ts";
import { ownerRows } from "./owners.ts";
import { pathRows } from "./paths.ts";
import { demoRow, programRows } from "./programs.ts";
import { runtimeRows } from "./runtimes.ts";
import { signingRows } from "./signing.ts";
import { sleepRows } from "./sleep.ts";
import { stoppedRows } from "./stopped.ts";
import { unreadableRows } from "./unreadable.ts";
import { valueRows } from "./values.ts";

export const groups: readonly Group<Scene>[] = [
  {
    title: "Sessions, sleep and stopped processes",
    rows: [...sleepRows, ...stoppedRows, ...signingRows, ...changedFileRows, ...fullDiskRows, sharedHomeRow],
  },
  {
    title: "Files, mounts and permissions",
    rows: [...unreadableRows, ...mountRows, ...ownerRows, ...pathRows, ...programRows, ...runtimeRows, ...valueRows],
  },
  { title: "The kits and the hosts", rows: [...kitRows, demoRow] },
];
