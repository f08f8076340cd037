/** JSON and plain text, with the errors of GitHub. */
import { type Exchange, type Handler, sendJson, sendParts } from "./handler.ts";

async function* words({ pause }: Exchange) {
  yield "one ";
  await pause();
  yield "two";
}

export const rest: Handler = async (exchange) => {
  exchange.request.resume();
  if (!exchange.isAccepted) return sendJson(exchange, { message: "Bad credentials", status: "401" });
  if (exchange.request.url === "/words") return sendParts(exchange, "text/plain; charset=utf-8", words(exchange));
  sendJson(exchange, { login: "ada", name: "hello" });
};
