import { ConfigurationError, createFetch, SignInRequiredError, type TokenManager } from "@unexpired/core";
import { discardBody, systemClock } from "@unexpired/core/adapter";
import { type Demand, demandOf, withoutChallenge, withScope } from "./challenge.ts";
import { type Discovery, isSameIssuer } from "./discovery.ts";
import type { Registration } from "./registration.ts";
import type { McpFetch } from "./sdk-types.ts";
import type { Outcome, SignIn } from "./sign-in.ts";

export interface McpFetchDeps {
  readonly serverUrl: URL;
  readonly tokens: TokenManager;
  readonly discovery: Discovery;
  readonly registration: Registration;
  /** Absent in programs that cannot ask anyone to sign in. */
  readonly signIn: SignIn | undefined;
  readonly fetch: typeof fetch;
  readonly allowInsecure: boolean | undefined;
  /** Where the session is stored. */
  readonly location: string;
  /** Called when the SDK sends a request to the authorization server. */
  readonly onEndpointRequest: (sentAt: number) => void;
}

/** One request of the SDK, with all its repetitions. */
interface Call {
  readonly send: () => Promise<Response>;
  /** Returns the access token that was sent last. */
  readonly lastToken: () => string | undefined;
  readonly signal: AbortSignal | null | undefined;
}

/** Creates the `fetch` for a transport: it attaches the token, renews it, and signs in. */
export function createMcpFetch(deps: McpFetchDeps): McpFetch {
  const { serverUrl, discovery, fetch, onEndpointRequest } = deps;
  return async (input, init) => {
    const url = new URL(input);
    if (url.origin !== serverUrl.origin || (await discovery.isEndpoint(url))) {
      if (init?.method === "POST") onEndpointRequest(systemClock.now());
      return fetch(url, init);
    }
    const call = toCall(deps, url, init);
    return settle(deps, call, await call.send());
  };
}

/** The SDK's own header may hold an older token. */
function toCall({ tokens, serverUrl, fetch, allowInsecure }: McpFetchDeps, url: URL, init: RequestInit = {}): Call {
  const headers = new Headers(init.headers);
  headers.delete("authorization");
  let lastToken: string | undefined;
  const record: typeof fetch = (input, sent) => {
    lastToken = new Headers(sent?.headers).get("authorization")?.replace(/^Bearer /, "");
    return fetch(input, sent);
  };
  const origins = [serverUrl.origin];
  const authorized = createFetch(tokens, { origins, allowInsecure, fetch: record, whenSignedOut: "send" });
  return { send: () => authorized(url, { ...init, headers }), lastToken: () => lastToken, signal: init.signal };
}

/** Signs in for as long as the server wants it: the user is asked at most once. */
async function settle(deps: McpFetchDeps, call: Call, first: Response): Promise<Response> {
  let response = first;
  for (let round = 0; round < 2; round += 1) {
    const demand = demandOf(response);
    if (!demand) return response;
    const outcome = await renew(deps, call, { demand, isAgain: round > 0 });
    if (outcome === "handed") return handOver(deps, response, demand);
    discardBody(response.body);
    response = await call.send();
    if (outcome === "signed-in") break;
  }
  const demand = demandOf(response);
  if (demand?.kind === "token") throw rejected(deps);
  return demand ? withoutChallenge(response) : response;
}

/** Gets another token for a request that the server has refused, and tells how. */
async function renew(deps: McpFetchDeps, call: Call, { demand, isAgain }: Refused): Promise<Outcome> {
  const { signIn, tokens, discovery, registration } = deps;
  if (!signIn) {
    if (!isAgain && demand.kind === "token" && (await tokens.hasSession())) return "adopted";
    throw signInRequired(deps, demand);
  }
  const { signal } = call;
  if (demand.kind === "scope") return signIn.request({ demand, insufficient: call.lastToken(), signal });
  if (!isAgain) return signIn.request({ demand, insufficient: undefined, signal });
  // the session is alive, and of no use: it may belong to the authorization server that the MCP server had before
  const [found, client] = await Promise.all([discovery.load(demand.metadataUrl), registration.load()]);
  if (client?.issuer === undefined || isSameIssuer(client.issuer, found.server.issuer)) throw rejected(deps);
  return signIn.request({ demand, insufficient: call.lastToken(), signal });
}

interface Refused {
  readonly demand: Demand;
  /** Whether the server has refused the token of another process as well. */
  readonly isAgain: boolean;
}

async function handOver({ signIn }: McpFetchDeps, response: Response, demand: Demand): Promise<Response> {
  return demand.kind === "scope" ? withScope(response, demand, await signIn?.scopeFor(demand)) : response;
}

const rejected = ({ serverUrl }: McpFetchDeps): ConfigurationError =>
  new ConfigurationError(
    `The MCP server ${serverUrl.href} rejects an access token that was issued for it a moment ago. Check that its metadata names the authorization server and the resource whose tokens it accepts.`,
  );

function signInRequired({ tokens, location, serverUrl }: McpFetchDeps, { kind, scope }: Demand): SignInRequiredError {
  const state = tokens.state;
  const reason = state?.status === "dead" ? state.reason : kind === "scope" ? "interaction_required" : "no_session";
  const hint = `This program cannot ask a user to sign in to ${serverUrl.href}. Run a program that can (\`mcpAuth\` with \`signIn\` or \`onRedirect\`) with the same store, once; this one then continues with its session.`;
  const problem =
    kind === "scope" ? `the session lacks the scope ${scope ?? "that the MCP server requires"}` : undefined;
  return new SignInRequiredError(reason, location, { problem, hint });
}
