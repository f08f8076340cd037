import { Readable } from "node:stream";
import { type $Fetch, FetchError, ofetch } from "ofetch";
import type { Answer, Body, Call, Harness, Setup } from "../../../tests/support/adapter-scenarios.ts";
import { withTokens } from "../src/index.ts";

const bodyOf = (body: Body): BodyInit | Record<string, unknown> => {
  if ("json" in body) return body.json as Record<string, unknown>;
  if ("form" in body) return new URLSearchParams(body.form);
  if ("text" in body) return body.text;
  if ("bytes" in body) return new Uint8Array(body.bytes);
  return Readable.toWeb(Readable.from(body.stream.map((chunk) => Buffer.from(chunk)))) as ReadableStream;
};

const sendWith =
  (client: $Fetch) =>
  async ({ url, body, ...options }: Call): Promise<Answer> => {
    try {
      const { status } = await client.raw(url, { ...options, ...(body && { body: bodyOf(body) }) });
      return { status };
    } catch (error) {
      if (error instanceof FetchError && error.status) return { status: error.status, error };
      throw error;
    }
  };

export const ofetchHarness: Harness = {
  retries: true,
  isAbort: (error) => error instanceof FetchError && error.cause instanceof Error && error.cause.name === "AbortError",
  ours: (error) => error,
  connect({ tokens, baseURL, origins, retries }: Setup) {
    const options = { baseURL, ...(retries !== undefined && { retry: retries }) };
    return sendWith(ofetch.create(tokens ? withTokens(tokens, { ...options, origins }) : options));
  },
};
