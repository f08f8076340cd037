/** The chat completions of OpenAI, and the messages of Anthropic, with their events. */
import { type Exchange, type Handler, readJson, sendJson, sendParts } from "./handler.ts";

const event = (data: object | string, name?: string): string =>
  `${name === undefined ? "" : `event: ${name}\n`}data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

const COMPLETION = { id: "chatcmpl-1", created: 1_700_000_000, model: "my-model" };
const COMPLETION_USAGE = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };

const chunk = (delta: object, finish_reason: string | null = null) =>
  event({ ...COMPLETION, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] });

async function* completionEvents({ pause }: Exchange) {
  yield chunk({ role: "assistant", content: "one " });
  await pause();
  yield chunk({ content: "two" }) + chunk({}, "stop") + event("[DONE]");
}

/** https://platform.openai.com/docs/api-reference/chat */
export const chatCompletions: Handler = async (exchange) => {
  const { stream } = await readJson<{ stream?: boolean }>(exchange);
  const error = { message: "The token is invalid.", type: "invalid_request_error", param: null, code: "invalid_token" };
  if (!exchange.isAccepted) return sendJson(exchange, { error });
  if (stream) return sendParts(exchange, "text/event-stream", completionEvents(exchange));
  const message = { role: "assistant", content: "hello", refusal: null };
  const choices = [{ index: 0, message, logprobs: null, finish_reason: "stop" }];
  sendJson(exchange, { ...COMPLETION, object: "chat.completion", choices, usage: COMPLETION_USAGE });
};

const MESSAGE = { id: "msg_1", type: "message", role: "assistant", model: "my-model", stop_sequence: null };
const MESSAGE_USAGE = { input_tokens: 1, output_tokens: 2 };

const named = (data: { readonly type: string; readonly [field: string]: unknown }) => event(data, data.type);
const textDelta = (text: string) =>
  named({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text } });

async function* messageEvents({ pause }: Exchange) {
  const message = { ...MESSAGE, content: [], stop_reason: null, usage: MESSAGE_USAGE };
  yield named({ type: "message_start", message });
  yield named({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } });
  yield named({ type: "ping" }) + textDelta("one ");
  await pause();
  yield textDelta("two") + named({ type: "content_block_stop", index: 0 });
  const delta = { stop_reason: "end_turn", stop_sequence: null };
  yield named({ type: "message_delta", delta, usage: { output_tokens: 2 } });
  yield named({ type: "message_stop" });
}

/** https://docs.anthropic.com/en/api/messages */
export const messages: Handler = async (exchange) => {
  const { stream } = await readJson<{ stream?: boolean }>(exchange);
  const error = { type: "authentication_error", message: "The token is invalid." };
  if (!exchange.isAccepted) return sendJson(exchange, { type: "error", error });
  if (stream) return sendParts(exchange, "text/event-stream", messageEvents(exchange));
  const content = [{ type: "text", text: "hello" }];
  sendJson(exchange, { ...MESSAGE, content, stop_reason: "end_turn", usage: MESSAGE_USAGE });
};
