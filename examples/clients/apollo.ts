import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";

/** Creates an Apollo client. */
export const createApollo = (tokens: TokenSource, uri: string): ApolloClient =>
  new ApolloClient({
    cache: new InMemoryCache(),
    link: new HttpLink({ uri, fetch: createFetch(tokens, { origins: [new URL(uri).origin] }) }),
  });

const USER = gql`
  query User($id: ID!) {
    user(id: $id) {
      id
      name
    }
  }
`;

/** Prints the name of a user. */
export async function printUser(client: ApolloClient, id: string): Promise<void> {
  try {
    const { data } = await client.query<{ user: { name: string } }>({ query: USER, variables: { id } });
    console.log(data?.user.name);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
