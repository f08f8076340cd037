/** The members of a `TokenEndpointError`. */
export interface TokenEndpointErrorDetails {
  readonly error?: string | undefined;
  readonly description?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfter?: number | undefined;
  readonly sent: boolean;
  readonly endpoint?: string | undefined;
  readonly endpointKind?: string | undefined;
  readonly body?: "empty" | "json" | "other" | undefined;
  readonly cause?: unknown;
}

/** The flaw of a successful response, by the form of its body. */
const MISSING = {
  json: "no access_token",
  empty: "no access_token (the body is empty)",
  other: "no access_token (the body is not JSON)",
};

const MAX_CAUSES = 10;
const MAX_REASON_LENGTH = 200;

/** Returns the message of a `TokenEndpointError`. */
export function describeFailure(details: TokenEndpointErrorDetails): string {
  const { endpoint, endpointKind = "token endpoint", sent, cause } = details;
  const response = describeResponse(details);
  const failure = `${sent ? "did not return a complete response" : "received no request"}${reasonOf(cause)}`;
  const name = `The ${endpointKind}${endpoint ? ` ${endpoint}` : ""}`;
  return `${name} ${response ? `responded with ${response}` : failure}`;
}

function describeResponse({ error, description, status, body = "json" }: TokenEndpointErrorDetails): string {
  const isOk = status !== undefined && status >= 200 && status < 300;
  const missing = isOk && (error ?? description) === undefined ? MISSING[body] : undefined;
  const parts = [status === undefined ? undefined : `HTTP ${status}`, error, description, missing];
  return parts.filter(Boolean).join(", ");
}

/** Returns the message of the innermost cause: `fetch` itself says only "fetch failed". */
function reasonOf(error: unknown, depth = 0): string {
  if (typeof error !== "object" || error === null || depth > MAX_CAUSES) return "";
  try {
    const { message, cause, errors } = error as Partial<AggregateError>;
    const text = typeof message === "string" && message !== "" ? `: ${message.slice(0, MAX_REASON_LENGTH)}` : "";
    return reasonOf(cause ?? errors?.[0], depth + 1) || text.replace(/\.$/, "");
  } catch {
    return ""; // the getter threw
  }
}
