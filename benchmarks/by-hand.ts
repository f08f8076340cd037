/** The interceptors that programs write by hand: a token on each request, and one retry after a 401. No other promises. */
import type { TokenManager } from "@unexpired/core";
import type { AxiosError, AxiosInstance, InternalAxiosRequestConfig } from "axios";
import type { ExtendOptions } from "got";
import type { FetchContext, FetchOptions } from "ofetch";

const headerFor = async (tokens: TokenManager): Promise<string> => `Bearer ${await tokens.getAccessToken()}`;

export const fetchByHand =
  (tokens: TokenManager, send: typeof fetch): typeof fetch =>
  async (input, init) => {
    const sendWith = (authorization: string) => send(input, { ...init, headers: { ...init?.headers, authorization } });
    const response = await sendWith(await headerFor(tokens));
    if (response.status !== 401) return response;
    await tokens.refresh();
    return sendWith(await headerFor(tokens));
  };

export function attachByHand(client: AxiosInstance, tokens: TokenManager): void {
  client.interceptors.request.use(async (config) => {
    config.headers.set("Authorization", await headerFor(tokens));
    return config;
  });
  client.interceptors.response.use(undefined, async (error: AxiosError) => {
    const config = error.config as InternalAxiosRequestConfig & { isRetry?: boolean };
    if (error.response?.status !== 401 || config.isRetry) throw error;
    await tokens.refresh();
    return client.request(Object.assign(config, { isRetry: true }));
  });
}

export const ofetchByHand = (tokens: TokenManager): FetchOptions => ({
  retryStatusCodes: [401],
  async onRequest({ options }: FetchContext) {
    options.headers.set("authorization", await headerFor(tokens));
  },
  async onResponseError({ response }: FetchContext) {
    if (response?.status === 401) await tokens.refresh();
  },
});

export const gotByHand = (tokens: TokenManager): ExtendOptions => ({
  hooks: {
    beforeRequest: [
      async ({ headers }) => {
        headers.authorization = await headerFor(tokens);
      },
    ],
    afterResponse: [
      async (response, retry) => {
        if (response.statusCode !== 401) return response;
        await tokens.refresh();
        return retry({ headers: { authorization: await headerFor(tokens) } });
      },
    ],
  },
});
