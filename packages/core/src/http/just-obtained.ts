import { UnexpiredError } from "../errors.ts";

/** Handles a rejected token that is too recent for another one to help: the caller gets the response or error itself. */
export const ignoreJustObtained = (error: unknown): undefined => {
  if (UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.reason === "just_obtained") return undefined;
  throw error;
};
