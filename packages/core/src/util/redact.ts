const DEPTH = 5;
const ERRORS_KEPT = 5;

/**
 * A copy of what foreign code threw that is safe to show: name, code, message, causes and an aggregate's errors, with
 * every known secret blanked. Its other properties (requests, configs, bodies) are left behind, because they hold
 * tokens.
 */
export function redact(thrown: unknown, secrets: readonly string[], depth = DEPTH): Error {
  const { name, message, code, frames, cause, errors } = read(thrown);
  const inner = (value: unknown) => redact(value, secrets, depth - 1);
  const text = blank(message, secrets);
  const options = cause === undefined || depth === 0 ? undefined : { cause: inner(cause) };
  const isAggregate = errors !== undefined && depth > 0;
  const copy = isAggregate ? new AggregateError(errors.map(inner), text, options) : new Error(text, options);
  copy.name = blank(name, secrets);
  copy.stack = [text ? `${copy.name}: ${text}` : copy.name, ...frames.map((line) => blank(line, secrets))].join("\n");
  return code === undefined ? copy : Object.assign(copy, { code: blank(code, secrets) });
}

/** What is kept of a thrown value. Each part of it may be of another type than it should be. */
function read(thrown: unknown) {
  const source = typeof thrown === "object" && thrown !== null ? thrown : { message: describe(thrown) };
  const part = (key: string): unknown => {
    try {
      return Reflect.get(source, key);
    } catch {
      return undefined; // a getter's own mistake
    }
  };
  const text = (key: string): string | undefined => [part(key)].find((value) => typeof value === "string");
  const errors = part("errors");
  return {
    name: text("name") ?? "Error",
    // a parser's message quotes its input, which may hold tokens that nobody knows yet
    message: text("name") === "SyntaxError" ? "The text could not be parsed." : (text("message") ?? ""),
    code: text("code"),
    frames: (text("stack") ?? "").split("\n").filter((line) => FRAME.test(line)),
    cause: part("cause"),
    errors: Array.isArray(errors) ? errors.slice(0, ERRORS_KEPT) : undefined,
  };
}

const describe = (thrown: unknown): string => {
  if (typeof thrown === "string") return thrown;
  return `${thrown === null || thrown === undefined ? thrown : `A ${typeof thrown}`} was thrown, not an Error.`;
};

/** A line of V8's stacks, or of the others'. What is before them is the message once more. */
const FRAME = /^ {4}at \S|^\S*@\S+:\d+:\d+$/;

/**
 * `text` without the secrets: as they are, percent-encoded, form-encoded, or inside of a JSON string. What is shorter
 * than four characters is no secret, and stays.
 */
export const blank = (text: string, secrets: readonly string[]): string =>
  secrets
    .filter((secret) => secret.length >= 4)
    .flatMap(spellings)
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);

const spellings = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret.replace(/\p{Surrogate}/gu, "\uFFFD")),
  new URLSearchParams({ "": secret }).toString().slice(1),
  JSON.stringify(secret).slice(1, -1),
];
