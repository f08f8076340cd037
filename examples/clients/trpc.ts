import { createTRPCClient, httpBatchStreamLink, httpSubscriptionLink, splitLink, type TRPCClient } from "@trpc/client";
import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import { EventSource } from "eventsource";
import type { AppRouter } from "./servers/router.ts";

/** Creates a tRPC client. `EventSource` would connect again and again if `fetch` threw. */
export function createClient(tokens: TokenSource, url: string): TRPCClient<AppRouter> {
  const fetch = createFetch(tokens, { origins: [new URL(url).origin], whenSignedOut: "send" });
  const subscriptions = httpSubscriptionLink({ url, EventSource, eventSourceOptions: { fetch } });
  const calls = httpBatchStreamLink({ url, fetch: (input, init) => fetch(input, init as RequestInit) });
  return createTRPCClient<AppRouter>({
    links: [splitLink({ condition: ({ type }) => type === "subscription", true: subscriptions, false: calls })],
  });
}

/** Prints the name of a user. */
export async function printUser(client: TRPCClient<AppRouter>, id: string): Promise<void> {
  try {
    const { name } = await client.user.query(id);
    console.log(name);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
