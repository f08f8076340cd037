import { type Mutant, withResponseInfo } from "./mutant.ts";

const USER = "does not retry a 401 for which the user has to authenticate again or otherwise";
const MENTIONED = "retries a 401 whose challenge only mentions insufficient_scope";

const headerOf = (headers: unknown): string => String((headers as Headers).get("www-authenticate"));

export const challengeMutants: readonly Mutant[] = [
  {
    name: "passes the header on only if it names insufficient_scope",
    caughtBy: USER,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(({ headers }) =>
      headerOf(headers).includes("insufficient_scope") ? {} : { headers: {} },
    ),
  },
  {
    name: "passes only the first challenge on",
    caughtBy: USER,
    clause: "retry",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [Bearer canary-access-1].",
    Client: withResponseInfo(({ headers }) => ({
      headers: { "www-authenticate": headerOf(headers).split('", Bearer')[0] },
    })),
  },
  {
    name: "searches the header for insufficient_scope by itself",
    caughtBy: MENTIONED,
    clause: "retry",
    says: "The call ended with status 401 instead of 200.",
    Client: withResponseInfo(({ headers }) =>
      headerOf(headers).includes("insufficient_scope") ? { status: 403 } : {},
    ),
  },
];
