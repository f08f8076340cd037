/** A long-running agent: it streams what a model says, runs the tools that the model asks for, and repeats that. */
import { setTimeout as sleep } from "node:timers/promises";
import { isAuthError, type SessionEvent } from "@unexpired/core";
import { fetchWithTokens, flow, session, tokens } from "./auth.ts";
import { API } from "./settings.ts";

const MESSAGES: Partial<Record<SessionEvent["type"], string>> = {
  "exchange-started": "refreshing the session",
  refreshed: "refreshed the session",
  "refresh-failed": "the refresh failed, and will be repeated",
  "tokens-adopted": "took over the tokens of another process",
  "save-failed": "the session could not be saved, and is used from memory",
  "save-recovered": "the session was saved",
};
session.subscribe(({ type }) => {
  if (MESSAGES[type]) console.debug(`${process.pid}: ${MESSAGES[type]}`);
});

async function call(path: string, body?: object): Promise<Response> {
  const request = body && { method: "POST", body: JSON.stringify(body) };
  const response = await fetchWithTokens(new URL(path, API), request);
  if (!response.ok) throw Object.assign(new Error(`${path}: HTTP ${response.status}`), { status: response.status });
  return response;
}

/** Streams one message of the model, and returns the tools that it asks for. */
async function streamMessage(): Promise<string[]> {
  const tools: string[] = [];
  const { body } = await call("/v1/messages", { stream: true, messages: [{ role: "user", content: "Go on." }] });
  let text = "";
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const events = text.split("\n\n");
    text = events.pop() ?? "";
    for (const event of events.map((each) => JSON.parse(each.replace("data: ", ""))))
      if (event.type === "tool_use") tools.push(event.name);
  }
  return tools;
}

let isStopped = process.argv[2] === "login";
if (isStopped) await session.signInWith(flow);
process.once("SIGTERM", () => {
  isStopped = true;
});

for (let turn = 1; !isStopped; turn++) {
  try {
    const tools = await streamMessage();
    await Promise.all(tools.map((tool) => call(`/v1/tools/${tool}`)));
    console.log(`turn ${turn} with the token of ${tokens.source()}`);
  } catch (error) {
    const problem = error instanceof Error ? error.message : "unknown";
    console.error(isAuthError(error) ? `sign in again: ${problem}` : `turn ${turn} failed: ${problem}`);
    await sleep(100);
  }
}
await session.close();
