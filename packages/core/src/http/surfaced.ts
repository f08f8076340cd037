import { UnexpiredError } from "../errors.ts";

/**
 * Returns a handler for the errors of `replaceRejected`: `undefined` if the caller should get the response with this status,
 * or the error, itself. The token is too recent for another one to help, or no entry of a pool is left after a 402 or 429.
 */
export const surfaceUseless =
  (status: number | undefined) =>
  (error: unknown): undefined => {
    const reason = UnexpiredError.is(error) && error.code === "REFRESH_FAILED" ? error.reason : undefined;
    const isLimit = status === 402 || status === 429;
    if (reason === "just_obtained" || (reason === "exhausted" && isLimit)) return undefined;
    throw error;
  };
