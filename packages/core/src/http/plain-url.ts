import { parseUrl } from "../util/parse-url.ts";

/**
 * Returns the URL that a client requests for `url`, if every client agrees on it: for an absolute URL without a base URL
 * or below it, and for a path with an absolute base URL. Returns `undefined` for all others: ask the client, which is
 * slower.
 */
export function plainUrlOf(url: unknown, baseURL: string | undefined): URL | undefined {
  if (typeof url !== "string") return undefined;
  const base = baseURL?.replace(/\/$/, "");
  if (isAbsolute(url)) return base === undefined || url.startsWith(`${base}/`) ? parseUrl(url) : undefined;
  const isPath = /^\/[^/]/.test(url); // clients disagree about "/"
  return base && isPath && isAbsolute(base) && !/[?#]|\/$/.test(base) ? parseUrl(base + url) : undefined;
}

const isAbsolute = (url: string): boolean => /^https?:\/\//i.test(url);
