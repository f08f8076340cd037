import { UnexpiredError } from "../errors.ts";
import { redact } from "../util/redact.ts";

const MAX_LENGTH = 200;

/**
 * Returns the reason for a failure, as a clause. The messages of this library hold no secrets. Those of other code might, such as
 * the URL of a database: only their name and a code like `ENOSPC` are shown.
 */
export function failureText(failure: unknown): string {
  if (UnexpiredError.is(failure)) return failure.message.replace(/\.$/, "").slice(0, MAX_LENGTH);
  const { name, code } = redact(failure, []) as Error & { code?: string };
  const isShown = code !== undefined && /^[A-Z][A-Z0-9_]{1,40}$/.test(code);
  return `it failed (${isShown ? `${name}, ${code}` : name})`;
}
