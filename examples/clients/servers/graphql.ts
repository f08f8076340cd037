/** GraphQL over HTTP, with subscriptions as multipart responses, as Apollo's router sends them. */
import { buildSchema, type ExecutionResult, execute, parse, subscribe } from "graphql";
import { type Exchange, type Handler, readJson, sendJson, sendParts } from "./handler.ts";

const schema = buildSchema(`
  type User { id: ID! name: String! }
  type Query { user(id: ID!): User! }
  type Subscription { words: String! }
`);

interface GraphQLRequest {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>>;
}

const BOUNDARY = "\r\n--graphql";
const PART = "\r\ncontent-type: application/json\r\n\r\n";

/** The boundary follows each part at once: it tells the client that the part is complete. */
async function* parts(results: AsyncIterable<ExecutionResult>) {
  yield BOUNDARY;
  for await (const payload of results) yield PART + JSON.stringify({ payload }) + BOUNDARY;
  yield "--\r\n";
}

async function* words({ pause }: Exchange) {
  yield { words: "one " };
  await pause();
  yield { words: "two" };
}

export const graphql: Handler = async (exchange) => {
  const { query, variables } = await readJson<GraphQLRequest>(exchange);
  const errors = [{ message: "The token is invalid.", extensions: { code: "UNAUTHENTICATED" } }];
  const isAlwaysOk = exchange.request.url === "/graphql-always-200";
  if (!exchange.isAccepted) return sendJson({ ...exchange, isAccepted: isAlwaysOk }, { errors });
  const rootValue = { user: ({ id }: { id: string }) => ({ id, name: "hello" }), words: () => words(exchange) };
  const request = { schema, document: parse(query), variableValues: variables, rootValue };
  if (!query.trimStart().startsWith("subscription")) return sendJson(exchange, await execute(request));
  const results = await subscribe(request);
  if (!(Symbol.asyncIterator in results)) return sendJson(exchange, results);
  await sendParts(exchange, 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0', parts(results));
};
