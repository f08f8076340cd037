/**
 * Reads the delay that a response asks for, in milliseconds (RFC 9110 §10.2.3); `undefined` if it names none, or if that is
 * invalid. Some servers send fractions of a second. A date is compared with the server's own clock, if it tells it; otherwise
 * with `now`, in epoch milliseconds.
 */
export function retryAfterOf(headers: { get(name: string): string | null }, now: number): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Math.ceil(Number(value) * 1000);
  if (!value.includes(":")) return undefined; // Date.parse takes "-5" and "5, 10" for days
  const date = Date.parse(headers.get("date") ?? "");
  const delay = Date.parse(value) - (Number.isNaN(date) ? now : date);
  return Number.isFinite(delay) ? Math.max(0, delay) : undefined;
}
