import { fastify } from "fastify";
import { addNote, failure, getProfile } from "./api.ts";
import { close, runAs, sessions } from "./sessions.ts";

const userIdOf = (headers: NodeJS.Dict<string | string[]>) => String(headers["x-user"] ?? ""); // your own sign-in

const app = fastify();
app.addHook("preHandler", (request, reply, done) => {
  const userId = userIdOf(request.headers);
  if (userId === "") reply.code(401).send({ error: "Please sign in to this server." });
  else runAs(userId, done);
});
app.get("/profile", () => getProfile());
app.post("/notes", ({ body }) => addNote(body));
app.post("/disconnect", ({ headers }) => sessions.signOut(userIdOf(headers)));

app.setErrorHandler((error, _request, reply) => {
  const known = failure(error);
  if (!known) throw error;
  return reply.code(known.status).send(known.body);
});

console.log(`Listening on ${await app.listen({ port: Number(process.env.PORT ?? 3000) })}.`);
process.once("SIGTERM", () => {
  void app.close().then(close);
  setTimeout(() => app.server.closeAllConnections(), 10_000).unref(); // those that clients keep open
});
