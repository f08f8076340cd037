import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import { GraphQLClient, gql } from "graphql-request";

/** Creates a client of graphql-request. */
export const createClient = (tokens: TokenSource, url: string): GraphQLClient =>
  new GraphQLClient(url, { fetch: createFetch(tokens, { origins: [new URL(url).origin] }) });

const USER = gql`
  query User($id: ID!) {
    user(id: $id) {
      name
    }
  }
`;

/** Prints the name of a user. */
export async function printUser(client: GraphQLClient, id: string): Promise<void> {
  try {
    const { user } = await client.request<{ user: { name: string } }>(USER, { id });
    console.log(user.name);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
