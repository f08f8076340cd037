import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { addNote, failure, getProfile } from "./api.ts";
import { close, runAs, sessions } from "./sessions.ts";

const app = new Hono<{ Variables: { userId: string } }>();
app.use(async (context, next) => {
  const userId = context.req.header("x-user"); // your own sign-in
  if (!userId) return context.json({ error: "Please sign in to this server." }, 401);
  context.set("userId", userId);
  return runAs(userId, next);
});
app.get("/profile", async (context) => context.json(await getProfile()));
app.post("/notes", async (context) => context.json(await addNote(await context.req.json())));
app.post("/disconnect", async (context) => context.json(await sessions.signOut(context.get("userId"))));

app.onError((error, context) => {
  const known = failure(error);
  if (!known) throw error;
  return context.json(known.body, known.status);
});

const server = serve({ fetch: app.fetch, port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`Listening on http://localhost:${port}.`);
});
process.once("SIGTERM", () => {
  server.close(() => void close());
  if ("closeAllConnections" in server) setTimeout(() => server.closeAllConnections(), 10_000).unref(); // those that clients keep open
});
