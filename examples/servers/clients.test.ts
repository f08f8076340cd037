import { expect, it, vi } from "vitest";
import { Database } from "./trials/database.ts";
import { Provider } from "./trials/provider.ts";

const database = Database.use();

it("sends the requests of many users at once, through four clients that they share", async () => {
  await using provider = await Provider.start();
  const env = { DATABASE_URL: database.url, ISSUER: provider.origin, API: provider.origin };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const { close, runAs, sessions } = await import("./sessions.ts");
  const { axiosAsUser, fetchAsUser, gotAsUser, ofetchAsUser } = await import("./clients.ts");
  const note = { user: "" };
  const clients = [
    async (json: object) => (await axiosAsUser.post("/notes", json)).data,
    (json: object) => ofetchAsUser("/notes", { method: "POST", body: { ...json } }),
    (json: object) => gotAsUser.post("notes", { json }).json(),
    async (json: object) =>
      (await fetchAsUser(`${provider.origin}/notes`, { method: "POST", body: JSON.stringify(json) })).json(),
  ];
  const users = Array.from({ length: 20 }, (_, index) => `user${index}`);
  const half = users.slice(0, 10);
  for (const user of users) {
    const tokens = provider.signIn(user);
    if (half.includes(user)) provider.rejected.add(tokens.accessToken);
    await sessions.signIn(user, half.includes(user) ? tokens : { ...tokens, expiresAt: 1 });
  }
  const calls = users.flatMap((user) =>
    clients.map((send) => runAs(user, async () => expect(await send({ ...note, user })).toEqual({ user }))),
  );
  await Promise.all(calls);
  expect(provider.mixedUp).toEqual([]);
  expect(provider.issuer).toMatchObject({ exchanges: users.length, revoked: 0 });
  await expect(clients[0]?.(note)).rejects.toThrow("Send the request inside of the context");
  await close();
});
