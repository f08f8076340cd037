import type { AddressInfo } from "node:net";
import express, { type Request, type RequestHandler, type Response } from "express";
import { addNote, failure, getProfile } from "./api.ts";
import { begin, COOKIE, cookieWith, finish } from "./connect.ts";
import { close, runAs, sessions } from "./sessions.ts";

/** Stands for your own sign-in: the proxy in front of this server says which user it is. */
const asUser: RequestHandler = (request, response, next) => {
  const userId = request.get("x-user");
  if (!userId) return void response.status(401).json({ error: "Please sign in to this server." });
  response.locals.userId = userId;
  runAs(userId, next);
};

/** Responds with what `call` returns, or says why it failed. */
const respond =
  (call: (request: Request, response: Response) => Promise<object>): RequestHandler =>
  async (request, response) => {
    try {
      response.json(await call(request, response));
    } catch (error) {
      const known = failure(error);
      if (!known) throw error;
      response.status(known.status).json(known.body);
    }
  };

const app = express();
app.use(express.json(), asUser);
app.get("/profile", respond(getProfile));
app.post(
  "/notes",
  respond(({ body }) => addNote(body)),
);

app.get("/connect", async (_request, response) => {
  const { url, cookie } = await begin();
  response.append("set-cookie", cookie).redirect(url);
});
app.get("/callback", async (request, response) => {
  const cookie = new RegExp(`(?:^|; )${COOKIE}=([^;]*)`).exec(request.get("cookie") ?? "")?.[1];
  const tokens = await finish(new URL(request.originalUrl, "http://localhost").search, cookie).catch((error) => {
    console.error(error.message); // the user has refused, or began in another browser
  });
  if (!tokens) return void response.status(400).json({ error: "The account was not connected.", connect: "/connect" });
  await sessions.signIn(response.locals.userId, tokens);
  response.append("set-cookie", cookieWith("")).redirect("/profile");
});
app.post(
  "/disconnect",
  respond((_request, { locals }) => sessions.signOut(locals.userId)),
);

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`Listening on http://localhost:${(server.address() as AddressInfo).port}.`);
});
process.once("SIGTERM", () => {
  server.close(() => void close());
  setTimeout(() => server.closeAllConnections(), 10_000).unref(); // those that clients keep open
});
