import { AsyncLocalStorage } from "node:async_hooks";
import { canary } from "@unexpired-internal/test-support/canary";
import { expect, it } from "vitest";
import { createAuthorizer } from "../../src/adapter.ts";
import {
  contextual,
  createFetch,
  createTokenPool,
  firstAvailable,
  staticToken,
  type TokenSource,
  withToken,
} from "../../src/index.ts";

const ORIGIN = "https://api.example";
const user = new AsyncLocalStorage<TokenSource>();
const tokens = contextual(() => user.getStore());

/** A user whose tokens are numbered. Only the latest one is accepted. */
class User implements TokenSource {
  readonly name: string;
  #number = 1;
  constructor(name: string) {
    this.name = name;
  }
  get token(): string {
    return canary("access", `${this.name}-${this.#number}`);
  }
  async getTokenSet() {
    return { accessToken: this.token, tokenType: "Bearer", extra: {} };
  }
  async replaceRejected(accessToken: string) {
    if (accessToken === this.token) this.#number++;
    return this.token;
  }
  source() {
    return this.name;
  }
}

/** An API that returns the token of a request, and rejects the first token of each user. */
const api: typeof fetch = async (_, init) => {
  const header = new Headers(init?.headers).get("authorization") ?? "";
  return new Response(header.replace("Bearer ", ""), { status: header.endsWith("-1") ? 401 : 200 });
};

/** Serves more tokens than the source remembers. */
async function serveOthers(): Promise<void> {
  for (let number = 0; number < 150; number++)
    await user.run(new User(`other${number}`), () => tokens.getAccessToken());
}

it("uses the source of each request for its token and its retry", async () => {
  const request = createFetch(tokens, { origins: [ORIGIN], fetch: api });
  const users = Array.from({ length: 300 }, (_, number) => new User(`user${number}`));
  const given = await Promise.all(users.map((each) => user.run(each, async () => (await request(ORIGIN)).text())));
  expect(given).toEqual(users.map((each) => each.token));
});

it("keeps the source of a request whose response is handled outside of its context", async () => {
  const authorizer = createAuthorizer<number>(tokens, { origins: [ORIGIN] });
  const [one, other] = [new User("one"), new User("other")];
  const authorization = await user.run(one, () => authorizer.authorize({ url: new URL(ORIGIN) }));
  const rejection = { response: 401, status: 401, headers: undefined };
  await serveOthers();
  expect(await user.run(other, () => authorization?.renew(rejection))).toBe(`Bearer ${one.token}`);
});

it("keeps the source of a call of withToken", async () => {
  const [one, other] = [new User("one"), new User("other")];
  const connect = (accessToken: string) => {
    user.enterWith(other);
    if (accessToken.endsWith("-1")) throw new Error("rejected");
    return accessToken;
  };
  const isRejected = () => serveOthers().then(() => true);
  expect(await user.run(one, () => withToken(tokens, connect, { isRejected }))).toBe(one.token);
});

it("replaces a token of the source that it came from, for callers that only know the whole", async () => {
  const [one, other] = [new User("one"), new User("other")];
  for (const source of [tokens, firstAvailable(tokens, staticToken(canary("access", "static")))]) {
    const { accessToken } = await user.run(one, () => source.getTokenSet());
    const newer = await user.run(other, () => source.replaceRejected(accessToken));
    expect(newer).toBe(one.token);
  }
});

it("asks the source of the request which statuses reject its token", async () => {
  await using pool = createTokenPool({ a: staticToken(canary("access", "a")), b: staticToken(canary("access", "b")) });
  expect(user.run(pool, () => tokens.isRejection?.(429))).toBe(true);
  expect(user.run(new User("one"), () => tokens.isRejection?.(429))).toBe(false);
});

it("names the source of the request", () => {
  expect(user.run(new User("one"), () => tokens.source())).toBe("one");
  expect(tokens.source()).toBeUndefined();
});

it("rejects outside of a request, and sends nothing", async () => {
  let sent = 0;
  const request = createFetch(tokens, { origins: [ORIGIN], fetch: async () => new Response(`${++sent}`) });
  const problem = /^contextual: the function returned undefined .* AsyncLocalStorage\.run\(\)/;
  await expect(request(ORIGIN)).rejects.toThrow(problem);
  await expect(tokens.getAccessToken()).rejects.toThrow(problem);
  expect(sent).toBe(0);
  expect(() => contextual(undefined as never)).toThrow("contextual: expected a function");
});
