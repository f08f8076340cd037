import type { RejectingResponse } from "../types.ts";

/** Headers in the forms that clients use. */
export type ResponseHeaders = { get(name: string): unknown } | Readonly<Record<string, unknown>>;

/** Returns a header by its lower-case name, in whatever form the client keeps it. */
export const headerOf = (headers: ResponseHeaders, name: string): unknown => {
  if (typeof headers.get === "function") return headers.get(name);
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
};

/** Returns the headers in one form, for sources: those of a client may be a plain object, and hold lists and numbers. */
export const toReadable = (headers: ResponseHeaders): NonNullable<RejectingResponse["headers"]> => ({
  get(name) {
    const value = headerOf(headers, name.toLowerCase());
    return value === undefined || value === null ? null : String(value);
  },
});
