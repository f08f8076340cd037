const MAX_DEPTH = 5;
const MAX_ERRORS = 5;

/**
 * Returns a copy of an exception of foreign code that is safe to show: name, code, message, stack, causes and the
 * errors of an aggregate, with every known secret masked. Omits all other properties (requests, configurations,
 * bodies), because they may contain tokens.
 */
export function redact(thrown: unknown, secrets: readonly string[], depth = MAX_DEPTH): Error {
  const { name, message, code, frames, cause, errors } = readThrown(thrown);
  const inner = (value: unknown) => redact(value, secrets, depth - 1);
  const text = maskSecrets(message, secrets);
  const options = cause === undefined || depth === 0 ? undefined : { cause: inner(cause) };
  const isAggregate = errors !== undefined && depth > 0;
  const copy = isAggregate ? new AggregateError(errors.map(inner), text, options) : new Error(text, options);
  copy.name = maskSecrets(name, secrets);
  copy.stack = [text ? `${copy.name}: ${text}` : copy.name, ...frames.map((line) => maskSecrets(line, secrets))].join(
    "\n",
  );
  return code === undefined ? copy : Object.assign(copy, { code: maskSecrets(code, secrets) });
}

/** Reads the parts of a thrown value that the copy keeps. Any of them may have an unexpected type. */
function readThrown(thrown: unknown) {
  const source = typeof thrown === "object" && thrown !== null ? thrown : { message: describe(thrown) };
  const read = (key: string): unknown => {
    try {
      return Reflect.get(source, key);
    } catch {
      return undefined; // the getter threw
    }
  };
  const text = (key: string): string | undefined => [read(key)].find((value) => typeof value === "string");
  const errors = read("errors");
  return {
    name: text("name") ?? "Error",
    // a parser's message quotes its input, which may contain tokens that are not known yet
    message: text("name") === "SyntaxError" ? "The text could not be parsed." : (text("message") ?? ""),
    code: text("code"),
    frames: (text("stack") ?? "").split("\n").filter((line) => FRAME.test(line)),
    cause: read("cause"),
    errors: Array.isArray(errors) ? errors.slice(0, MAX_ERRORS) : undefined,
  };
}

const describe = (thrown: unknown): string => {
  if (typeof thrown === "string") return thrown;
  return `${thrown === null || thrown === undefined ? thrown : `A ${typeof thrown}`} was thrown, not an Error.`;
};

/**
 * A line of a stack trace, in the format of V8 or of other engines. Everything before such lines repeats the message.
 */
const FRAME = /^ {4}at \S|^\S*@\S+:\d+:\d+$/;

/**
 * Masks the secrets in `text`: verbatim, percent-encoded, form-encoded, or inside a JSON string. Ignores secrets that
 * are shorter than four characters.
 */
export const maskSecrets = (text: string, secrets: readonly string[]): string =>
  secrets
    .filter((secret) => secret.length >= 4)
    .flatMap(spellings)
    .sort((a, b) => b.length - a.length)
    .reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);

/**
 * Masks the secrets in the words of a server, which may quote a part of one: also every word that is contained in a
 * secret, in upper or lower case, and has at least eight characters with a digit, or sixteen.
 */
export function maskQuotes(text: string, secrets: readonly string[]): string {
  const known = secrets.map((secret) => secret.toLowerCase());
  const isLong = (word: string) => word.length >= 16 || /\d/.test(word);
  const isQuote = (word: string) =>
    isLong(word) && known.some((secret) => secret.includes(word.replace(/\.+$/, "").toLowerCase()));
  return maskSecrets(text, secrets).replace(/[\w~+/=-][\w~+/=.-]{6,}[\w~+/=-]/g, (word) =>
    isQuote(word) ? "[secret]" : word,
  );
}

const spellings = (secret: string): readonly string[] => [
  secret,
  encodeURIComponent(secret.replace(/\p{Surrogate}/gu, "\uFFFD")),
  new URLSearchParams({ "": secret }).toString().slice(1),
  JSON.stringify(secret).slice(1, -1),
];

/** A word such as `no_service` or `EBUSY`. Almost every token contains a digit. */
const CODE = /^[a-z_]{1,40}$/i;

/** Returns whether a property of an error can be shown: a number, a boolean, or a code that is not one of the secrets. */
export const isHarmless = (value: unknown, secrets: readonly string[]): boolean =>
  ["number", "boolean"].includes(typeof value) ||
  (typeof value === "string" && CODE.test(value) && !secrets.includes(value));
