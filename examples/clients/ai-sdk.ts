import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { createFetch, isAuthError, type TokenSource } from "@unexpired/core";
import { type LanguageModel, streamText } from "ai";

/** Creates a provider of the AI SDK. Without an `apiKey`, it sends no header of its own. */
export const createProvider = (tokens: TokenSource, baseURL: string) =>
  createOpenAICompatible({
    name: "my-provider",
    baseURL,
    fetch: createFetch(tokens, { origins: [new URL(baseURL).origin] }),
  });

/** Prints a reply as it arrives. `generateText` throws, but `streamText` passes its errors to `onError`. */
export async function printReply(model: LanguageModel, prompt: string): Promise<void> {
  const { textStream } = streamText({
    model,
    prompt,
    onError: ({ error }) => console.error(isAuthError(error) ? "Please sign in again." : error),
  });
  for await (const text of textStream) process.stdout.write(text);
}
