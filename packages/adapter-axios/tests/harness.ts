import { Readable } from "node:stream";
import axios, { type AxiosInstance } from "axios";
import type { Answer, Body, Call, Harness, Setup } from "../../../tests/support/adapter-scenarios.ts";
import { attachTokens } from "../src/index.ts";

const dataOf = (body: Body): unknown => {
  if ("json" in body) return body.json;
  if ("form" in body) return new URLSearchParams(body.form);
  if ("text" in body) return body.text;
  return "bytes" in body ? body.bytes : Readable.from(body.stream);
};

const sendWith =
  (client: AxiosInstance) =>
  async ({ body, ...call }: Call): Promise<Answer> => {
    try {
      const { status } = await client.request({ ...call, ...(body && { data: dataOf(body) }) });
      return { status };
    } catch (error) {
      if (axios.isAxiosError(error) && error.response) return { status: error.response.status, error };
      throw error;
    }
  };

export const axiosHarness: Harness = {
  retries: false,
  isAbort: axios.isCancel,
  ours: (error) => error,
  connect({ tokens, baseURL, origins }: Setup) {
    const client = axios.create({ baseURL });
    if (tokens) attachTokens(client, tokens, { origins });
    return sendWith(client);
  },
};
