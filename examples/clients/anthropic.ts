import Anthropic from "@anthropic-ai/sdk";
import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";

/** Creates an Anthropic client. It insists on a token, and retries whatever `fetch` throws. */
export const createAnthropic = (tokens: TokenSource, baseURL: string): Anthropic =>
  new Anthropic({
    baseURL,
    authToken: "unused", // without it, the client looks for credentials in the environment and in files
    apiKey: null, // without it, versions before 1.0 also send the key in ANTHROPIC_API_KEY
    fetch: createFetch(tokens, { origins: [new URL(baseURL).origin], placeholder: "unused", whenSignedOut: "send" }),
  });

/** Prints a reply as it arrives. */
export async function printReply(anthropic: Anthropic, content: string): Promise<void> {
  try {
    const messages = [{ role: "user" as const, content }];
    const stream = anthropic.messages.stream({ model: "my-model", max_tokens: 1024, messages });
    stream.on("text", (text) => process.stdout.write(text));
    await stream.done();
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
