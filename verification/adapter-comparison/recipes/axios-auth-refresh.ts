import type { AxiosError, AxiosInstance } from "axios";
import { createAuthRefresh } from "axios-auth-refresh";
import type { StoredToken } from "./stored-token.ts";

/** axios-auth-refresh uses the CommonJS types of axios. */
const asItsTypes = (api: AxiosInstance) => api as unknown as Parameters<typeof createAuthRefresh>[0];

/** Follows the README of axios-auth-refresh: an interceptor for the token, and a function that refreshes it. */
export function useAuthRefresh(api: AxiosInstance, { read, renew }: StoredToken): void {
  api.interceptors.request.use(async (config) => {
    config.headers.Authorization ||= `Bearer ${await read()}`;
    return config;
  });
  createAuthRefresh(asItsTypes(api), async (failed: AxiosError) => {
    const token = await renew();
    if (failed.config) failed.config.headers.Authorization = `Bearer ${token}`;
  });
}
