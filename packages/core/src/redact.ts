const DEPTH = 5;

/**
 * A copy of what foreign code threw that is safe to show: name, code, message and causes, with every known secret
 * blanked. Its other properties (requests, configs, bodies) are left behind, because they hold tokens.
 */
export function redact(error: unknown, secrets: readonly string[], depth = DEPTH): Error {
  const source = error instanceof Error ? error : new Error(typeof error === "string" ? error : "not an Error");
  const cause = source.cause === undefined || depth === 0 ? undefined : redact(source.cause, secrets, depth - 1);
  const copy = new Error(blank(source.message, secrets), cause && { cause });
  copy.name = blank(source.name, secrets);
  copy.stack = blank(source.stack ?? `${source.name}: ${source.message}`, secrets);
  const code: unknown = "code" in source ? source.code : undefined;
  return typeof code === "string" ? Object.assign(copy, { code: blank(code, secrets) }) : copy;
}

/** `text` without the secrets, as they are or percent-encoded. */
export const blank = (text: string, secrets: readonly string[]): string =>
  secrets
    .filter((secret) => secret.length >= 4)
    .flatMap((secret) => [secret, encodeURIComponent(secret)])
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
