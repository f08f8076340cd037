import { createFetch, isAuthError, UnexpiredError } from "@unexpired/core";
import { tokens } from "./sessions.ts";

const { API = "https://api.example" } = process.env;

/** One client for all users: each request gets the token of the user that the running code serves. */
const fetchAsUser = createFetch(tokens, { origins: [new URL(API).origin] });

/** Calls the API. A 401 that remains after the retry is an error as well, and `isAuthError` knows it. */
async function call(path: string, init?: RequestInit): Promise<object> {
  const response = await fetchAsUser(`${API}${path}`, init);
  if (response.ok) return response.json();
  throw Object.assign(new Error(`The API responded with ${response.status}.`), { status: response.status });
}

export const getProfile = () => call("/profile");

export const addNote = (note: unknown) => call("/notes", { method: "POST", body: JSON.stringify(note) });

/** Returns the response of this server to a request that failed. */
export function failure(error: unknown): { status: 401 | 503; body: object } | undefined {
  if (isAuthError(error)) return { status: 401, body: { error: "Please connect your account.", connect: "/connect" } };
  if (UnexpiredError.is(error)) return { status: 503, body: { error: "Please try again in a moment." } };
  return undefined;
}
