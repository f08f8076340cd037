import type { AxiosError, AxiosInstance, InternalAxiosRequestConfig } from "axios";
import type { StoredToken } from "./stored-token.ts";

interface Waiting {
  readonly resolve: (token: string) => void;
  readonly reject: (error: unknown) => void;
}

type Config = InternalAxiosRequestConfig & { _retry?: boolean };

/**
 * The recipe that a search for "axios refresh token" finds: an interceptor, a flag, and a queue of calls that fail
 * while it is set.
 */
export function useQueue(api: AxiosInstance, { read, renew }: StoredToken): void {
  let isRefreshing = false;
  let queue: Waiting[] = [];
  const settle = (error: unknown, token: string) => {
    for (const { resolve, reject } of queue) error ? reject(error) : resolve(token);
    queue = [];
  };

  api.interceptors.request.use(async (config) => {
    config.headers.Authorization ||= `Bearer ${await read()}`;
    return config;
  });

  api.interceptors.response.use(undefined, async (error: AxiosError) => {
    const original = error.config as Config;
    if (error.response?.status !== 401 || original._retry) throw error;
    original._retry = true;
    if (isRefreshing) {
      const token = await new Promise<string>((resolve, reject) => queue.push({ resolve, reject }));
      original.headers.Authorization = `Bearer ${token}`;
      return api(original);
    }
    isRefreshing = true;
    try {
      const token = await renew();
      api.defaults.headers.common.Authorization = `Bearer ${token}`;
      original.headers.Authorization = `Bearer ${token}`;
      settle(undefined, token);
      return await api(original);
    } catch (failure) {
      settle(failure, "");
      throw failure;
    } finally {
      isRefreshing = false;
    }
  });
}
