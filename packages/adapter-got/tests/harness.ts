import { Readable } from "node:stream";
import got, { type Got, HTTPError, type OptionsInit, RequestError, type Response } from "got";
import type { Answer, Body, Call, Harness, Setup } from "../../../tests/support/adapter-scenarios.ts";
import { withTokens } from "../src/index.ts";

const bodyOf = (body: Body): OptionsInit => {
  if ("json" in body) return { json: body.json };
  if ("form" in body) return { form: body.form };
  if ("text" in body) return { body: body.text };
  return { body: "bytes" in body ? body.bytes : Readable.from(body.stream) };
};

/** got joins a base and a path without a slash at its front. */
const targetOf = ({ url, baseURL }: Call): [string, OptionsInit] =>
  /^(\w+:)?\/\//.test(url) ? [url, { prefixUrl: "" }] : [url.slice(1), baseURL ? { prefixUrl: baseURL } : {}];

const sendWith =
  (client: Got) =>
  async (call: Call): Promise<Answer> => {
    const { method = "GET", headers = {}, body, signal } = call;
    const [url, target] = targetOf(call);
    try {
      const answer = await client(url, {
        ...target,
        method,
        headers,
        ...(signal && { signal }),
        ...(body && bodyOf(body)),
      });
      return { status: (answer as Response).statusCode };
    } catch (error) {
      if (error instanceof HTTPError) return { status: error.response.statusCode, error };
      throw error;
    }
  };

export const gotHarness: Harness = {
  retries: true,
  isAbort: (error) => error instanceof RequestError && error.name === "AbortError",
  ours: (error) => (error instanceof RequestError ? error.cause : error),
  connect({ tokens, baseURL, origins, retries = 0 }: Setup) {
    const retry = {
      limit: retries,
      calculateDelay: ({ computedValue }: { computedValue: number }) => computedValue && 1,
    };
    const client = got.extend({ prefixUrl: baseURL, retry });
    return sendWith(tokens ? client.extend(withTokens(tokens, { origins: origins ?? [] })) : client);
  },
};
