/** The result of a call and the stored record, as text without secrets. */
import { inspect } from "node:util";
import { CANARY } from "@unexpired-internal/test-support/canary";

interface Fields {
  readonly code?: unknown;
  readonly name?: unknown;
  readonly reason?: unknown;
  readonly message?: unknown;
  readonly cause?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly response?: unknown;
  readonly error?: unknown;
  readonly description?: unknown;
}

const fieldsOf = (value: unknown): Fields => Object(value) as Fields;

/** Describes an error of the library: its code and reason, and what the server said. */
export function describeError(error: unknown): string {
  const { code, name, reason, cause } = fieldsOf(error);
  return [code ?? name, reason, describeCause(cause), shows(error)].filter(Boolean).join(" ");
}

function describeCause(cause: unknown): string {
  const { status, error, description } = fieldsOf(cause);
  if (cause === undefined) return "";
  const said = [status && `HTTP ${status}`, error, description && `"${description}"`].filter(Boolean).join(" ");
  return `(${said || "no response"})`;
}

/** Like {@link describeError}, with the message. */
export const describeMessage = (error: unknown): string => `${describeError(error)}: ${fieldsOf(error).message}`;

/** Returns a remark if an error shows a token. */
const shows = (error: unknown): string =>
  inspect(error, { depth: 9, showHidden: true }).includes(CANARY) ? "AND SHOWS A TOKEN" : "";

/** Describes the result of a call. */
export const outcome = (result: Promise<unknown>, describe = describeError): Promise<string> =>
  result.then(describeValue, describe);

function describeValue(value: unknown): string {
  if (typeof value === "string" || (typeof value === "object" && value !== null && "accessToken" in value))
    return "a token";
  return value === undefined ? "done" : JSON.stringify(value);
}

/** Returns the HTTP status that a client's own error is about. */
export function statusOf(error: unknown): number | undefined {
  const { status, statusCode, response } = fieldsOf(error);
  const inner = fieldsOf(response);
  return [inner.status, inner.statusCode, status, statusCode].find((each) => typeof each === "number");
}

/** The members of a stored record that tell the verdict. */
export interface StoredRecord {
  readonly tokens?: { readonly accessToken?: string; readonly refreshToken?: string };
  readonly renewed?: boolean;
  readonly dead?: { readonly reason: string };
  readonly attempt?: {
    readonly status: string;
    readonly retryIn?: number;
    readonly refusals?: { readonly count: number };
    readonly mayBeSpent?: boolean;
  };
}

/** Describes the verdict that a record holds. */
export function describeRecord({ tokens, dead, attempt, renewed }: StoredRecord): string {
  if (dead) {
    const kept = [tokens?.refreshToken && "the refresh token", tokens?.accessToken && "the access token"];
    const rest = kept.filter(Boolean).join(" and ");
    return `dead: ${dead.reason}${rest && `, keeps ${rest}`}`;
  }
  if (!attempt) return renewed ? "rotated" : "signed in";
  return `${verdictOf(attempt)}, next try in ${Math.round((attempt.retryIn ?? 0) / 1000)} s`;
}

function verdictOf({ status, refusals, mayBeSpent }: NonNullable<StoredRecord["attempt"]>): string {
  if (status !== "failed") return status;
  if (mayBeSpent) return "misconfigured";
  return refusals ? `refused ${refusals.count} times` : "transient";
}
