import { createFetch, type TokenSource } from "@unexpired/core";
import { EventSource } from "eventsource";

/**
 * Opens an event stream, and attaches a valid token whenever it connects again. A 401 that remains ends the stream with an
 * `error` event whose `code` is 401; without `whenSignedOut`, it would connect again and again while no user is signed in.
 */
export const openEventSource = (tokens: TokenSource, url: string): EventSource =>
  new EventSource(url, { fetch: createFetch(tokens, { origins: [new URL(url).origin], whenSignedOut: "send" }) });
