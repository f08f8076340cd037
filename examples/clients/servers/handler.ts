import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";

/** One request, and what is known about its token. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly isAccepted: boolean;
  /** To be awaited after the first part of a stream. */
  pause(): Promise<void>;
}

/** Responds to the requests of one protocol. */
export type Handler = (exchange: Exchange) => Promise<void>;

export const readJson = async <T>({ request }: Exchange): Promise<T> => JSON.parse(await text(request));

const CHALLENGE = { "www-authenticate": 'Bearer error="invalid_token"' };

/** Responds with JSON; to a rejected token, with a 401. */
export function sendJson({ response, isAccepted }: Exchange, body: object): void {
  response.writeHead(isAccepted ? 200 : 401, { "content-type": "application/json", ...(!isAccepted && CHALLENGE) });
  response.end(JSON.stringify(body));
}

/** Sends the parts of a stream as they come. */
export async function sendParts(
  { response }: Exchange,
  contentType: string,
  parts: AsyncIterable<string>,
): Promise<void> {
  response.writeHead(200, { "content-type": contentType });
  for await (const part of parts) response.write(part);
  response.end();
}
