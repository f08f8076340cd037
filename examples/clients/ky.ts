import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import ky, { type KyInstance } from "ky";

/** Creates an instance of ky. */
export const createKy = (tokens: TokenSource, prefix: string): KyInstance =>
  ky.create({ prefix, fetch: createFetch(tokens, { origins: [new URL(prefix).origin] }) });

/** Prints the name of a user. */
export async function printUser(client: KyInstance, id: string): Promise<void> {
  try {
    const { name } = await client.get<{ name: string }>(`users/${id}`).json();
    console.log(name);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
