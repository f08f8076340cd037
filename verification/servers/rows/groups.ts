import type { Group } from "@unexpired-internal/tables/row";
import type { Scene } from "../scene.ts";
import { anyFetchRows } from "./any-fetch.ts";
import { bodyRows } from "./bodies.ts";
import { bodilessRows } from "./bodiless.ts";
import { challengeRows } from "./challenges.ts";
import { clientAuthRows } from "./client-auth.ts";
import { errorRows } from "./errors.ts";
import { identityRows } from "./identity.ts";
import { lifetimeRows } from "./lifetimes.ts";
import { messageRows } from "./messages.ts";
import { profileRows } from "./profiles.ts";
import { refreshFunctionRows } from "./refresh-functions.ts";
import { refusalRows } from "./refusals.ts";
import { requestOptionRows } from "./requests.ts";
import { signingRows } from "./signing.ts";
import { unreadableRows } from "./unreadable.ts";

export const groups: readonly Group<Scene>[] = [
  { title: "Hangs and crashes", rows: [...anyFetchRows, ...requestOptionRows, ...bodyRows, ...refreshFunctionRows] },
  {
    title: "Verdicts",
    rows: [
      ...unreadableRows,
      ...refusalRows,
      ...bodilessRows,
      ...identityRows,
      ...lifetimeRows,
      ...profileRows,
      ...challengeRows,
    ],
  },
  {
    title: "Client authentication and messages",
    rows: [...clientAuthRows, ...messageRows, ...signingRows, ...errorRows],
  },
];
