/** Each client, behind one interface. */
import { gql } from "@apollo/client";
import type { TokenSource } from "@unexpired/core";
import { generateText, streamText } from "ai";
import { createProvider } from "../ai-sdk.ts";
import { createAnthropic } from "../anthropic.ts";
import { createApollo } from "../apollo.ts";
import { createClient as createGraphqlRequest } from "../graphql-request.ts";
import { createKy } from "../ky.ts";
import { createOctokit } from "../octokit.ts";
import { createOpenAI } from "../openai.ts";
import { createClient as createOpenapiFetch } from "../openapi-fetch.ts";
import { createClient as createTrpc } from "../trpc.ts";
import { type Subscribe, toIterable } from "./to-iterable.ts";

/** A client of an API. */
export interface Client {
  /** Sends a request, and resolves to the text in its response. */
  request(signal: AbortSignal): Promise<string>;
  /** Sends a request whose response is a stream of texts, if the client has such. */
  stream?(signal: AbortSignal): AsyncIterable<string>;
}

export interface Driver {
  readonly name: string;
  /** Whether it has no streams. */
  readonly isUnary?: boolean;
  connect(tokens: TokenSource, origin: string): Client;
}

const prompt = "Hello?";
const ask = { model: "my-model", messages: [{ role: "user" as const, content: prompt }] };

const openai: Driver["connect"] = (tokens, origin) => {
  const { completions } = createOpenAI(tokens, `${origin}/v1`).chat;
  return {
    async request(signal) {
      const { choices } = await completions.create(ask, { signal });
      return choices[0]?.message.content ?? "";
    },
    async *stream(signal) {
      const chunks = await completions.create({ ...ask, stream: true }, { signal });
      for await (const { choices } of chunks) yield choices[0]?.delta.content ?? "";
    },
  };
};

const anthropic: Driver["connect"] = (tokens, origin) => {
  const { messages } = createAnthropic(tokens, origin);
  const limited = { ...ask, max_tokens: 1024 };
  return {
    async request(signal) {
      const { content } = await messages.create(limited, { signal });
      return content[0]?.type === "text" ? content[0].text : "";
    },
    async *stream(signal) {
      const events = await messages.create({ ...limited, stream: true }, { signal });
      for await (const event of events) {
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text;
      }
    },
  };
};

const aiSdk: Driver["connect"] = (tokens, origin) => {
  const model = createProvider(tokens, `${origin}/v1`)("my-model");
  return {
    async request(abortSignal) {
      const { text } = await generateText({ model, prompt, abortSignal });
      return text;
    },
    async *stream(abortSignal) {
      let thrown: unknown; // the stream of texts ends without an error
      const onError = ({ error }: { error: unknown }) => {
        thrown = error;
      };
      yield* streamText({ model, prompt, abortSignal, onError }).textStream;
      if (thrown) throw thrown;
    },
  };
};

const openapiFetch: Driver["connect"] = (tokens, origin) => {
  const client = createOpenapiFetch(tokens, origin);
  return {
    async request(signal) {
      const { data, response } = await client.GET("/users/{id}", { params: { path: { id: "ada" } }, signal });
      if (!data) throw response;
      return data.name;
    },
    async *stream(signal) {
      const { data, response } = await client.GET("/words", { parseAs: "stream", signal });
      if (!data) throw response;
      yield* data.pipeThrough(new TextDecoderStream());
    },
  };
};

const graphqlRequest: Driver["connect"] = (tokens, origin) => {
  const client = createGraphqlRequest(tokens, `${origin}/graphql`);
  return {
    async request(signal) {
      const document = '{ user(id: "ada") { name } }';
      const { user } = await client.request<{ user: { name: string } }>({ document, signal });
      return user.name;
    },
  };
};

const apollo: Driver["connect"] = (tokens, origin) => {
  const client = createApollo(tokens, `${origin}/graphql`);
  const query = gql`{ user(id: "ada") { id name } }`;
  const words = gql`subscription { words }`;
  return {
    async request(signal) {
      const context = { fetchOptions: { signal } };
      const { data } = await client.query<{ user: { name: string } }>({ query, context, fetchPolicy: "network-only" });
      return data?.user.name ?? "";
    },
    stream(signal) {
      const subscribe: Subscribe<string> = ({ next, error, complete }) =>
        client.subscribe<{ words: string }>({ query: words }).subscribe({
          next: (result) => (result.error ? error(result.error) : next(result.data?.words ?? "")),
          error,
          complete,
        });
      return toIterable(subscribe, signal);
    },
  };
};

const trpc: Driver["connect"] = (tokens, origin) => {
  const client = createTrpc(tokens, `${origin}/trpc`);
  return {
    async request(signal) {
      const { name } = await client.user.query("ada", { signal });
      return name;
    },
    async *stream(signal) {
      yield* await client.words.query(undefined, { signal });
    },
  };
};

const trpcSubscription: Driver["connect"] = (tokens, origin) => {
  const client = createTrpc(tokens, `${origin}/trpc`);
  return {
    ...trpc(tokens, origin),
    stream(signal) {
      const subscribe: Subscribe<string> = ({ next, error, complete }) =>
        client.news.subscribe(undefined, { onData: next, onError: error, onComplete: complete });
      return toIterable(subscribe, signal);
    },
  };
};

const octokit: Driver["connect"] = (tokens, origin) => {
  const client = createOctokit(tokens, origin);
  return {
    async request(signal) {
      const { data } = await client.rest.users.getAuthenticated({ request: { signal } });
      return data.name ?? "";
    },
    async *stream(signal) {
      const { data } = await client.request("GET /words", { request: { signal, parseSuccessResponseBody: false } });
      yield* (data as ReadableStream<Uint8Array<ArrayBuffer>>).pipeThrough(new TextDecoderStream());
    },
  };
};

const ky: Driver["connect"] = (tokens, origin) => {
  const client = createKy(tokens, origin);
  return {
    async request(signal) {
      const { name } = await client.get<{ name: string }>("users/ada", { signal }).json();
      return name;
    },
    async *stream(signal) {
      const { body } = await client.get("words", { signal });
      if (body) yield* body.pipeThrough(new TextDecoderStream());
    },
  };
};

export const drivers: readonly Driver[] = [
  { name: "openai", connect: openai },
  { name: "@anthropic-ai/sdk", connect: anthropic },
  { name: "ai", connect: aiSdk },
  { name: "openapi-fetch", connect: openapiFetch },
  { name: "graphql-request", connect: graphqlRequest, isUnary: true },
  { name: "@apollo/client", connect: apollo },
  { name: "@trpc/client", connect: trpc },
  { name: "@trpc/client, a subscription", connect: trpcSubscription },
  { name: "octokit", connect: octokit },
  { name: "ky", connect: ky },
];
