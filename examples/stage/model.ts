import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const TOOLS = ["read_file", "search", "list_files"];

/** Responds as the API of a model does: with a stream of text and tool calls, and with the results of tools. */
export async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url !== "/v1/messages") {
    await sleep(100);
    return void response.end("{}");
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (event: object) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  for (const text of ["Let ", "me ", "look."]) {
    send({ type: "text_delta", text });
    await sleep(60);
  }
  for (const name of TOOLS) send({ type: "tool_use", name });
  response.end();
}
