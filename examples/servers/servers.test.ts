/** Runs each server as a process of its own, with PostgreSQL, an authorization server and an API. */
import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { CANARY } from "@unexpired-internal/test-support/canary";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Database } from "./trials/database.ts";
import { Program } from "./trials/program.ts";
import { Provider } from "./trials/provider.ts";

const database = Database.use();
const CONNECT = { status: 401, body: { connect: "/connect" } };

describe.each(["express", "fastify", "hono"])("%s", (name) => {
  let provider: Provider;
  let program: Program;
  let origin: string;
  const programs: Program[] = [];

  beforeAll(async () => {
    provider = await Provider.start();
    await start();
  });
  afterAll(async () => {
    for (const each of programs) await each[Symbol.asyncDispose]();
    await provider[Symbol.asyncDispose]();
    expect(programs.map(({ output }) => output).join("")).not.toContain(CANARY);
    expect([provider.issuer.revoked, provider.mixedUp]).toEqual([0, []]);
  });

  async function start(): Promise<void> {
    const servers = { DATABASE_URL: database.url, ISSUER: provider.origin, API: provider.origin };
    program = new Program(join(import.meta.dirname, `${name}.ts`), { ...servers, PORT: "0" });
    programs.push(program);
    origin = /http\S+\d/.exec(await program.line())?.[0] ?? "";
  }

  const userNamed = (user: string) => `${name}-${user}`;

  async function send(user: string, path: string, init: RequestInit = {}) {
    const headers = { "x-user": user, "content-type": "application/json", connection: "close", ...init.headers };
    const response = await fetch(`${origin}${path}`, { redirect: "manual", ...init, headers });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text.startsWith("{") ? JSON.parse(text) : text };
  }
  /** Sends a body that arrives after the headers, when the server has begun with the request. */
  async function post(user: string, path: string) {
    const headers = { "x-user": user, "content-type": "application/json", connection: "close", expect: "100-continue" };
    const outgoing = request(`${origin}${path}`, { method: "POST", headers });
    outgoing.flushHeaders();
    await once(outgoing, "continue");
    outgoing.end(JSON.stringify({ user }));
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    return { status: response.statusCode, body: await json(response) };
  }

  /** Stores a session of that user, by default one whose access token has expired. */
  async function signIn(user: string, expiresAt = 1): Promise<string> {
    await using sessions = database.sessions();
    const tokens = { ...provider.signIn(user), expiresAt };
    await sessions.signIn(user, tokens);
    return tokens.accessToken;
  }

  /** Returns how many exchanges `run` has caused. */
  async function exchangesDuring(run: () => Promise<unknown>): Promise<number> {
    const before = provider.issuer.exchanges;
    await run();
    return provider.issuer.exchanges - before;
  }

  it("serves many users at once, each with tokens of their own, and renews each session once", async () => {
    const users = Array.from({ length: 20 }, (_, index) => userNamed(`user${index}`));
    for (const user of users) await signIn(user);
    const serve = async (user: string) => {
      const responses = await Promise.all([send(user, "/profile"), post(user, "/notes"), send(user, "/profile")]);
      for (const response of responses) expect(response).toMatchObject({ status: 200, body: { user } });
    };
    expect(await exchangesDuring(() => Promise.all(users.map(serve)))).toBe(users.length);
  });

  it("sends a request again with a newer token if the API rejects the first one, once", async () => {
    const user = userNamed("ada");
    provider.rejected.add(await signIn(user, Date.now() + 3_600_000));
    const { rejections } = provider;
    const exchanges = await exchangesDuring(async () => {
      expect(await post(user, "/notes")).toMatchObject({ status: 200, body: { user } });
      expect(provider.rejections).toBe(rejections + 1);
      provider.rejected.add(user);
      expect(await send(user, "/profile")).toMatchObject(CONNECT);
    });
    expect(exchanges).toBe(1);
  });

  it("asks users to connect who have no session, or have signed out", async () => {
    const [user, other] = [userNamed("bob"), userNamed("cleo")];
    for (const each of [user, other]) await signIn(each);
    expect(await send(userNamed("eve"), "/profile")).toMatchObject(CONNECT);
    expect(await send(user, "/profile")).toMatchObject({ status: 200 });
    expect(await post(user, "/disconnect")).toMatchObject({ status: 200 });
    expect(await send(user, "/profile")).toMatchObject(CONNECT);
    expect(await send(other, "/profile")).toMatchObject({ status: 200 });
    expect(await send("", "/profile")).toMatchObject({
      status: 401,
      body: { error: expect.stringContaining("sign in") },
    });
  });

  it("asks for another try while the authorization server is down", async () => {
    const user = userNamed("dan");
    await signIn(user);
    provider.issuer.next({ status: 503, body: { error: "temporarily_unavailable" } });
    expect(await send(user, "/profile")).toMatchObject({ status: 503 });
  });

  it("saves the tokens of exchanges that are running when a deploy ends the process, with or without a request", async () => {
    const [waiting, background] = [userNamed("fay"), userNamed("hal")];
    for (const user of [waiting, background]) await signIn(user);
    await database.expireSoon(background);
    const { length } = provider.issuer.requests;
    const exchanges = await exchangesDuring(async () => {
      provider.issuer.next({ delay: 300 }, { delay: 600 });
      const response = send(waiting, "/profile");
      await vi.waitFor(() => expect(provider.issuer.requests).toHaveLength(length + 1));
      expect(await send(background, "/profile")).toMatchObject({ status: 200 });
      await vi.waitFor(() => expect(provider.issuer.requests).toHaveLength(length + 2));
      expect(await program.stop()).toBe(0);
      expect(await response).toMatchObject({ status: 200, body: { user: waiting } });
      await start();
      for (const user of [waiting, background])
        expect(await send(user, "/profile")).toMatchObject({ status: 200, body: { user } });
    });
    expect(exchanges).toBe(2);
    expect((await database.recordOf(background)).attempt).toBeUndefined();
  });

  if (name !== "express") return; // the other servers begin and finish a sign-in in the same way

  it("connects an account, also if another process serves the callback", async () => {
    const user = userNamed("gil");
    const { headers } = await send(user, "/connect");
    const consent = await fetch(`${headers.get("location")}&login_hint=${user}`, { redirect: "manual" });
    const { pathname, search } = new URL(consent.headers.get("location") ?? "");
    await program.stop();
    await start();
    const callback = (cookie: string) => send(user, `${pathname}${search}`, { headers: { cookie } });
    expect(await callback("")).toMatchObject({ status: 400 }); // another browser
    const { headers: finished, body } = await callback(headers.get("set-cookie")?.split(";")[0] ?? "");
    expect(finished.get("location"), body).toBe("/profile");
    expect(await send(user, "/profile")).toMatchObject({ status: 200, body: { user } });
  });
});
