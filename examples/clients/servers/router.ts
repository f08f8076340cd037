/** A tRPC server. */
import { initTRPC, TRPCError } from "@trpc/server";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import * as z from "zod";
import { type Exchange, type Handler, sendJson } from "./handler.ts";

const { router, procedure } = initTRPC.context<Exchange>().create();

async function* words({ pause }: Exchange) {
  yield "one ";
  await pause();
  yield "two";
}

const appRouter = router({
  user: procedure.input(z.string()).query(({ input }) => ({ id: input, name: "hello" })),
  words: procedure.query(({ ctx }) => words(ctx)),
  news: procedure.subscription(({ ctx }) => words(ctx)),
});

export type AppRouter = typeof appRouter;

/** Rejects a token before tRPC sees the request, as middleware does: every link then gets a response with the status 401. */
export const trpc: Handler = async (exchange) => {
  if (!exchange.isAccepted) return sendJson(exchange, { error: "invalid_token" });
  handle(exchange, "/trpc/");
};

/** Rejects a token when tRPC creates the context: only responses that are not streamed have the status 401 then. */
export const trpcInContext: Handler = async (exchange) => handle(exchange, "/trpc-in-context/");

function handle(exchange: Exchange, basePath: string): void {
  const createContext = () => {
    if (!exchange.isAccepted) throw new TRPCError({ code: "UNAUTHORIZED" });
    return exchange;
  };
  createHTTPHandler({ router: appRouter, createContext, basePath })(exchange.request, exchange.response);
}
