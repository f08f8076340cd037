import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import OpenAI from "openai";

/** Creates an OpenAI client. It insists on a key, and retries whatever `fetch` throws. */
export const createOpenAI = (tokens: TokenSource, baseURL: string): OpenAI =>
  new OpenAI({
    baseURL,
    apiKey: "unused",
    fetch: createFetch(tokens, { origins: [new URL(baseURL).origin], placeholder: "unused", whenSignedOut: "send" }),
  });

/** Prints a reply as it arrives. */
export async function printReply(openai: OpenAI, content: string): Promise<void> {
  try {
    const messages = [{ role: "user" as const, content }];
    const chunks = await openai.chat.completions.create({ model: "my-model", messages, stream: true });
    for await (const chunk of chunks) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
  } catch (error) {
    if (!isAuthError(error)) throw error;
    console.error("Please sign in again.");
  }
}
