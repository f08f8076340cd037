import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import { Octokit } from "octokit";

/** Creates an Octokit. Without `auth`, it sends no header of its own. It retries whatever `fetch` throws. */
export const createOctokit = (tokens: TokenSource, baseUrl = "https://api.github.com"): Octokit =>
  new Octokit({
    baseUrl,
    request: { fetch: createFetch(tokens, { origins: [new URL(baseUrl).origin], whenSignedOut: "send" }) },
  });

/** Prints the name of the user who is signed in. */
export async function printUser(octokit: Octokit): Promise<void> {
  try {
    const { data } = await octokit.rest.users.getAuthenticated();
    console.log(data.name);
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
