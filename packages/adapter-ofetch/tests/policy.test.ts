import { Readable } from "node:stream";
import { accepting } from "@unexpired/testing";
import { createFetch, type FetchOptions, ofetch } from "ofetch";
import { expect } from "vitest";
import { withTokens } from "../src/index.ts";
import { ofetchTest, tokensAt } from "./support.ts";

ofetchTest("defaults to the origin of baseURL", async ({ api, other, make }) => {
  const client = make();
  await client("/");
  await client("/", { baseURL: other.origin });
  expect([tokensAt(api), tokensAt(other)]).toEqual([[1], [undefined]]);
});

ofetchTest("requires an absolute baseURL if origins is omitted", async ({ session: { tokens } }) => {
  expect(() => withTokens(tokens)).toThrow(/^origins: needed/);
  expect(() => withTokens(tokens, { baseURL: "/api" })).toThrow(TypeError);
  expect(() => withTokens(tokens, { origins: ["api.example.com"] })).toThrow(/^origins/);
});

ofetchTest("sends no token if the request's own Host header names another host", async ({ api, make }) => {
  const client = make();
  await client("/", { headers: { host: "other-tenant.example" } });
  await client("/", { headers: { host: new URL(api.origin).host } });
  expect(tokensAt(api)).toEqual([undefined, 1]);
});

ofetchTest("takes no options from Object.prototype", async ({ api, other, session: { tokens } }) => {
  const polluted = {
    origins: [other.origin],
    baseURL: other.origin,
    allowInsecure: true,
    isUnauthorized: () => true,
  };
  let options: FetchOptions;
  Object.assign(Object.prototype, polluted);
  try {
    expect(() => withTokens(tokens)).toThrow(/^origins: needed/);
    expect(() => withTokens(tokens, { baseURL: "http://api.example" })).toThrow(/^baseURL: plain http/);
    options = withTokens(tokens, { baseURL: api.origin });
  } finally {
    for (const name of Object.keys(polluted)) Reflect.deleteProperty(Object.prototype, name);
  }
  const client = ofetch.create(options);
  await client(other.origin);
  await client("/");
  expect([tokensAt(api), tokensAt(other)]).toEqual([[1], [undefined]]);
});

ofetchTest("accepts plain http beyond loopback only with allowInsecure", async ({ session: { tokens } }) => {
  const baseURL = "http://api.example";
  expect(() => withTokens(tokens, { origins: [baseURL] })).toThrow(/^origins\[0\]: plain http/);
  expect(() => withTokens(tokens, { baseURL })).toThrow(/^baseURL: plain http/);
  expect(withTokens(tokens, { baseURL, allowInsecure: true })).not.toHaveProperty("allowInsecure");
});

/** A `fetch` whose responses are changed before ofetch receives them. */
const fetchWith =
  (change: (response: Response) => unknown): typeof fetch =>
  async (...call) =>
    change(await fetch(...call)) as Response;

ofetchTest("does not wait for the body of a 401 that has an unread copy (P15)", async ({ api, session }) => {
  const kept: Response[] = [];
  const keepCopy = fetchWith((response) => {
    kept.push(response.clone());
    return response;
  });
  api.respond = accepting(session.accessToken(2));
  const options = withTokens(session.tokens, { baseURL: api.origin, responseType: "stream" });
  const client = createFetch({ fetch: keepCopy, Headers }).create(options);
  await client("/");
  expect(tokensAt(api)).toEqual([1, 2]);
});

ofetchTest("retries a 401 whose body is a Node.js stream", async ({ api, session }) => {
  const asNodeStream = fetchWith((response) =>
    Object.defineProperty(response, "body", { value: Readable.from(["{}"]) }),
  );
  api.respond = accepting(session.accessToken(2));
  const options = withTokens(session.tokens, { baseURL: api.origin });
  await createFetch({ fetch: asNodeStream, Headers }).create(options)("/");
  expect(tokensAt(api)).toEqual([1, 2]);
});
