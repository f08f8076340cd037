/** An agent of `node:http` or `node:https`, or another object in its place. */
interface AgentLike {
  readonly defaultPort?: unknown;
  readonly options?: Readonly<Record<string, unknown>> | null;
}

/** Options of an agent that replace those of the request, and so decide which server it is connected to. */
const TARGET = ["host", "hostname", "port", "path", "socketPath", "lookup", "proxyEnv"];

/** Options of an agent that decide which servers TLS accepts. */
const IDENTITY = ["host", "hostname", "port", "servername", "checkServerIdentity"];

/** The methods of an agent that open a connection. */
const METHODS = ["addRequest", "createSocket", "createConnection"] as const;

/**
 * Returns whether an agent of Node.js may connect a request to a server other than that of its URL. An adapter sends no
 * token with a request that replaces the agent of its client by such an agent.
 *
 * - Over `http:`, that is an agent with its own `socketPath`, host, port or `lookup`, and one that opens its connections
 *   itself, as those of forward proxies do: nothing checks who responds.
 * - Over `https:`, TLS checks the host, wherever the connection leads. What counts is an agent with its own host or
 *   port, or with `rejectUnauthorized: false`, `servername` or `checkServerIdentity`.
 */
export function mayConnectElsewhere(agent: unknown, { protocol }: URL): boolean {
  if (typeof agent !== "object" || agent === null) return false;
  const isSecure = protocol === "https:";
  const { defaultPort, options }: AgentLike = agent;
  const isOwn = (name: string) => Boolean(options?.[name]);
  if ((isSecure ? IDENTITY : TARGET).some(isOwn) || !isDefaultPort(defaultPort, isSecure)) return true;
  return isSecure ? options?.rejectUnauthorized === false : !isPlain(agent);
}

const isDefaultPort = (port: unknown, isSecure: boolean): boolean =>
  port === undefined || Number(port) === (isSecure ? 443 : 80);

type Methods = Readonly<Record<(typeof METHODS)[number], unknown>>;

/** The part of Node's `process` that is used here. Deno and Bun have it, too. */
interface NodeProcess {
  getBuiltinModule?(name: "node:http"): { readonly Agent: { readonly prototype: Methods } };
}

/** Returns whether the connections of an agent are opened by Node.js itself. */
const isPlain = (agent: object): boolean => {
  const { process } = globalThis as { readonly process?: NodeProcess };
  const base = process?.getBuiltinModule?.("node:http").Agent.prototype;
  return base !== undefined && METHODS.every((name) => Reflect.get(agent, name) === base[name]);
};
