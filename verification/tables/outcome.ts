import { deferred } from "./deferred.ts";

/** The result of a call as a caller sees it, as text without secrets. */
export const outcome = (result: Promise<unknown>): Promise<string> =>
  result.then(describe, ({ name, code = name, reason, message }) =>
    [`${code}${reason === undefined ? "" : ` ${reason}`}`, message].join(": "),
  );

function describe(value: unknown): string {
  if (typeof value === "string" || (typeof value === "object" && value !== null && "accessToken" in value))
    return "a token";
  return value === undefined ? "done" : String(value);
}

/** Like {@link outcome}, but gives up after `milliseconds`. */
export async function outcomeWithin(result: Promise<unknown>, milliseconds: number): Promise<string> {
  const { promise, resolve } = deferred<string>();
  const timer = setTimeout(resolve, milliseconds, `nothing within ${milliseconds} ms`);
  return Promise.race([outcome(result), promise]).finally(() => clearTimeout(timer));
}
