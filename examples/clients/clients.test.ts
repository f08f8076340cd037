/** Runs each recipe with the real package, against real servers on this machine. */
import { ApolloClient, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { createTRPCClient, httpBatchLink } from "@trpc/client";
import { authErrorOf, createFetch, isAuthError, staticToken, type TokenSource } from "@unexpired/core";
import { isRight } from "@unexpired-internal/tables/row";
import { RetryError } from "ai";
import { GraphQLClient } from "graphql-request";
import { Octokit } from "octokit";
import { beforeEach, describe, expect, it, vi } from "vitest";
import * as aiSdk from "./ai-sdk.ts";
import * as anthropic from "./anthropic.ts";
import * as apollo from "./apollo.ts";
import * as graphqlRequest from "./graphql-request.ts";
import * as ky from "./ky.ts";
import * as octokit from "./octokit.ts";
import * as openai from "./openai.ts";
import * as openapiFetch from "./openapi-fetch.ts";
import type { AppRouter } from "./servers/router.ts";
import { Place } from "./trials/place.ts";
import { groups } from "./trials/rows.ts";
import * as trpc from "./trpc.ts";
import { isUnauthenticated } from "./unauthenticated.ts";

describe.each(groups)("a request that is $title", ({ rows }) => {
  it.each(rows)("$situation", async (row) => {
    await using place = await Place.create();
    const shown = await row.run(place);
    expect(isRight(shown, row.expected), `${shown.happened}: ${place.tidy(shown.saw)}`).toBe(true);
  });
});

type Print = (tokens: TokenSource, origin: string) => Promise<void>;

const prints: [name: string, print: Print, printed: string][] = [
  ["openai", (tokens, origin) => openai.printReply(openai.createOpenAI(tokens, `${origin}/v1`), "Hello?"), "one two"],
  ["@anthropic-ai/sdk", (...given) => anthropic.printReply(anthropic.createAnthropic(...given), "Hello?"), "one two"],
  ["ai", (tokens, origin) => aiSdk.printReply(aiSdk.createProvider(tokens, `${origin}/v1`)("m"), "Hello?"), "one two"],
  ["openapi-fetch", (...given) => openapiFetch.printUser(openapiFetch.createClient(...given), "ada"), "hello"],
  [
    "graphql-request",
    (tokens, origin) => graphqlRequest.printUser(graphqlRequest.createClient(tokens, `${origin}/graphql`), "ada"),
    "hello",
  ],
  [
    "@apollo/client",
    (tokens, origin) => apollo.printUser(apollo.createApollo(tokens, `${origin}/graphql`), "ada"),
    "hello",
  ],
  ["@trpc/client", (tokens, origin) => trpc.printUser(trpc.createClient(tokens, `${origin}/trpc`), "ada"), "hello"],
  ["octokit", (...given) => octokit.printUser(octokit.createOctokit(...given)), "hello"],
  ["ky", (...given) => ky.printUser(ky.createKy(...given), "ada"), "hello"],
];

describe.each(prints)("the example of %s", (_name, print, expected) => {
  let printed: string;
  let errors: unknown[];
  beforeEach(() => {
    printed = "";
    errors = [];
    const write = (text: unknown) => {
      printed += String(text);
      return true;
    };
    const spies = [
      vi.spyOn(process.stdout, "write").mockImplementation(write),
      vi.spyOn(console, "log").mockImplementation(write),
      vi.spyOn(console, "error").mockImplementation((error) => errors.push(error)),
    ];
    return () => spies.forEach((spy) => void spy.mockRestore());
  });

  it("prints what the server sends, and asks for a sign-in after a sign-out", async () => {
    await using place = await Place.create();
    await print(place.tokens, place.api.origin);
    expect(printed).toBe(expected);
    await place.tokens.signOut();
    await print(place.tokens, place.api.origin);
    expect(errors).toEqual(["Please sign in again."]);
    expect(printed).toBe(expected);
  });

  it("asks for a sign-in after the 401 of a token that cannot be replaced", async () => {
    await using place = await Place.create();
    await print(staticToken("rejected"), place.api.origin);
    expect(errors).toEqual(["Please sign in again."]);
    expect(printed).toBe("");
  });
});

describe("a GraphQL server that rejects a token with the status 200", () => {
  const query = 'query { user(id: "ada") { id name } }';
  const clients: [name: string, send: (fetch: typeof globalThis.fetch, uri: string) => Promise<unknown>][] = [
    ["graphql-request", (fetch, uri) => new GraphQLClient(uri, { fetch }).request(query)],
    [
      "@apollo/client",
      (fetch, uri) => {
        const link = new HttpLink({ uri, fetch });
        return new ApolloClient({ cache: new InMemoryCache(), link }).query({ query: gql(query) });
      },
    ],
  ];

  it.each(clients)(
    "%s: renews the token with isUnauthenticated, and isAuthError recognizes the error",
    async (...given) => {
      const [, send] = given;
      await using place = await Place.create();
      const { origin } = place.api;
      const sendWith = (tokens: TokenSource) =>
        send(
          createFetch(tokens, { origins: [origin], isUnauthorized: isUnauthenticated }),
          `${origin}/graphql-always-200`,
        );
      place.rejectToken();
      await sendWith(place.tokens);
      expect(place.sent).toBe("token 1, token 2");
      const plain = send(createFetch(staticToken("rejected"), { origins: [origin] }), `${origin}/graphql-always-200`);
      expect(isAuthError(await plain.catch((error: unknown) => error))).toBe(true);
    },
  );

  it("isUnauthenticated does not read a response that is a stream", async () => {
    const response = new Response("--graphql", { headers: { "content-type": "multipart/mixed" } });
    expect(await isUnauthenticated(response)).toBe(false);
    expect(await isUnauthenticated(new Response(null, { status: 401 }))).toBe(true);
    expect(await isUnauthenticated(Response.json({ errors: [{ message: "x" }] }))).toBe(false);
  });
});

it("@trpc/client: the 401 of createContext is a status with httpBatchLink, and an error in a stream", async () => {
  await using place = await Place.create();
  const url = `${place.api.origin}/trpc-in-context`;
  const fetch = createFetch(place.tokens, { origins: [place.api.origin] }) as never;
  const client = createTRPCClient<AppRouter>({ links: [httpBatchLink({ url, fetch })] });
  place.rejectToken();
  const error = await trpc
    .createClient(place.tokens, url)
    .user.query("ada")
    .catch((thrown: unknown) => thrown);
  expect(isAuthError(error)).toBe(true);
  expect(place.sent).toBe("token 1");
  expect(await Promise.all([client.user.query("ada"), client.user.query("bob")])).toMatchObject([
    { name: "hello" },
    { id: "bob" },
  ]);
  expect(place.sent).toBe("token 1, token 1, token 2");
});

it("octokit: does not retry a required sign-in without its plugin for retries", async () => {
  await using place = await Place.create();
  await place.tokens.signOut();
  const { origin: baseUrl } = place.api;
  const fetch = createFetch(place.source, { origins: [baseUrl] });
  const signedOut = new Octokit({ baseUrl, retry: { enabled: false }, request: { fetch } }).request("GET /user");
  expect(authErrorOf(await signedOut.catch((error: unknown) => error))).toMatchObject({ reason: "signed_out" });
  expect(place).toMatchObject({ calls: 1, sent: "" });
});

it("ai: isAuthError recognizes a 401 after a retry", () => {
  const errors = [{ statusCode: 503 }, Object.assign(new Error("no"), { statusCode: 401 })];
  expect(isAuthError(new RetryError({ message: "Failed.", reason: "errorNotRetryable", errors }))).toBe(true);
});
