/**
 * Interceptors as programs write them by hand, with the check that is most often forgotten: a token on each request to one
 * origin, and one retry after a 401. They do not keep the token out of errors, nor from redirects and one-time bodies.
 */
import type { TokenManager } from "@unexpired/core";
import type { AxiosError, AxiosInstance, InternalAxiosRequestConfig } from "axios";
import type { ExtendOptions } from "got";
import type { FetchContext, FetchOptions } from "ofetch";

const headerFor = async (tokens: TokenManager): Promise<string> => `Bearer ${await tokens.getAccessToken()}`;

export const fetchByHand =
  (tokens: TokenManager, origin: string, send: typeof fetch): typeof fetch =>
  async (input, init) => {
    if (new URL(String(input)).origin !== origin) return send(input, init);
    const sendWith = (authorization: string) => send(input, { ...init, headers: { ...init?.headers, authorization } });
    const response = await sendWith(await headerFor(tokens));
    if (response.status !== 401) return response;
    await tokens.refresh();
    return sendWith(await headerFor(tokens));
  };

export function attachByHand(client: AxiosInstance, tokens: TokenManager, origin: string): void {
  client.interceptors.request.use(async (config) => {
    if (new URL(config.url ?? "", config.baseURL).origin !== origin) return config;
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

export const ofetchByHand = (tokens: TokenManager, origin: string): FetchOptions => ({
  retryStatusCodes: [401],
  async onRequest({ options, request }: FetchContext) {
    if (new URL(String(request), options.baseURL).origin !== origin) return;
    options.headers.set("authorization", await headerFor(tokens));
  },
  async onResponseError({ response }: FetchContext) {
    if (response?.status === 401) await tokens.refresh();
  },
});

export const gotByHand = (tokens: TokenManager, origin: string): ExtendOptions => ({
  hooks: {
    beforeRequest: [
      async ({ headers, url }) => {
        if (url instanceof URL && url.origin !== origin) return;
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
