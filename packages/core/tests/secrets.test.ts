import { format, inspect } from "node:util";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { createAuthorizer } from "../src/adapter.ts";
import { StoreError, type TokenManager } from "../src/index.ts";
import { disk } from "./support/interference.ts";
import { printed } from "./support/leaks.ts";
import { startSession } from "./support/session.ts";

const secret = canary("refresh", 1);
/** An error as careless code throws it, with the failed request and its tokens in many places. */
const careless = () =>
  Object.assign(new Error(`POST failed: refresh_token=${secret}`, { cause: { config: { data: secret } } }), {
    config: { data: `refresh_token=${secret}` },
    response: { data: { refresh_token: canary("refresh", 2) } },
  });

type Session = ReturnType<typeof startSession>;

/** Ways to make a session fail; each returns what the caller receives. */
const mishaps: Record<string, (session: Session, manager: TokenManager) => Promise<unknown>> = {
  "a refresh function that throws its request": ({ issuer }, manager) => {
    issuer.next(careless, { before: true });
    return manager.refresh();
  },
  "an endpoint that echoes the token": ({ issuer }, manager) => {
    issuer.next(() => ({ error: "invalid_grant", error_description: `${secret} was used` }) as never, { before: true });
    return manager.refresh();
  },
  "an endpoint that refuses the client": ({ issuer }, manager) => {
    issuer.next(() => ({ error: "invalid_client", error_description: secret }) as never, { before: true });
    return manager.refresh();
  },
  "a response without an access token": ({ issuer }, manager) => {
    issuer.next(() => ({ refresh_token: secret }), { before: true });
    return manager.refresh();
  },
  "a store that shows what it could not save": ({ store }, manager) => {
    store.save = async (value) => Promise.reject(new Error(`cannot save ${value}`, { cause: careless() }));
    return manager.refresh();
  },
  "a full disk": ({ store }, manager) => {
    store.save = async () => Promise.reject(disk);
    return manager.signIn({ accessToken: canary("access", 9) });
  },
  "a damaged record": async ({ open, store }) => {
    const stored = await store.load();
    await store.save(stored?.value.slice(0, -9) ?? "", stored?.version);
    return open().getAccessToken();
  },
  "a store's own error": ({ store }, manager) => {
    const details = { location: "The vault", problem: "is locked", hint: "Open it." };
    store.load = async () => Promise.reject(new StoreError("STORE_UNAVAILABLE", { ...details, cause: careless() }));
    return manager.hasSession();
  },
  "a token that is rejected at once": async (_session, manager) => {
    await manager.refresh();
    return manager.replaceRejected(canary("access", 2));
  },
  "tokens of the wrong shape": (_session, manager) => manager.signIn({ accessToken: { secret } } as never),
};

it.each(Object.keys(mishaps))("shows no token after %s (P8)", async (name) => {
  const session = startSession();
  const manager = await session.signIn();
  const failure: unknown = await mishaps[name]?.(session, manager).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(Error);
  const everything = [failure, session.events, manager, manager.state, session.store].map(printed).join("\n");
  expect(everything).not.toContain("canary");
});

it("shows no token of a session in good health (P8)", async () => {
  const session = startSession();
  const manager = await session.signIn();
  const tokens = await manager.refresh();
  expect(tokens.refreshToken).toBe(canary("refresh", 2));
  const everything = [tokens, session.events, manager, manager.state].map(printed).join("\n");
  expect(everything).not.toContain("canary");
});

it("shows no token of a promise (P8)", async () => {
  const session = startSession();
  const manager = await session.signIn();
  const authorizer = createAuthorizer(manager, { origins: ["https://api.example"] });
  const url = new URL("https://api.example");
  const authorize = () => authorizer.authorize({ url });
  const renewal = (await authorize())?.renew({ response: undefined, status: 401, headers: {} });
  await renewal;
  const replaced = manager.replaceRejected(canary("access", 2));
  await replaced.catch(() => {}); // it was only just obtained
  await session.clock.advance(10 * 60_000);
  const renewed = manager.replaceRejected(canary("access", 2));
  await renewed;
  const [first, cached] = [manager.getAccessToken({ signal: AbortSignal.timeout(0) }), manager.getAccessToken()];
  expect(manager.getAccessToken()).toBe(cached);
  const promises = [renewal, replaced, renewed, first, cached, manager.getTokenSet(), manager.refresh(), authorize()];
  await Promise.all([...promises, cached].map((promise) => promise?.catch(() => {})));
  for (const promise of promises) {
    const output =
      [promise, { nested: { promise } }].map(printed).join("\n") + format("%o %O %j", promise, promise, promise);
    expect(output).not.toContain("canary");
  }
  expect(inspect(cached)).toBe("Promise { [secret] }");
  expect(inspect(manager.getTokenSet(), { customInspect: false, depth: null })).not.toContain("canary");
});

it("shows no token if the account function throws (P8)", async () => {
  const { open } = startSession({ account: ({ accessToken }) => JSON.parse(accessToken) as string });
  const error = (await open()
    .signIn({ accessToken: "canary-1" })
    .catch((error: unknown) => error)) as Error;
  expect(String(error)).not.toContain("canary");
});
