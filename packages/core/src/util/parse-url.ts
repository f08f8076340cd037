/** Returns the URL; `undefined` if it is invalid. Parses it once, unlike `URL.canParse` followed by `new URL`. */
export function parseUrl(url: string, base?: string): URL | undefined {
  try {
    return new URL(url, base);
  } catch {
    return undefined;
  }
}
