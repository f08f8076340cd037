import { mayConnectElsewhere } from "@unexpired/core/adapter";
import type { Options, OptionsInit } from "got";

/** The options of got that decide, besides its URL, which server a request is connected to. */
export type Connection = Pick<
  OptionsInit,
  "agent" | "createConnection" | "dnsCache" | "dnsLookup" | "h2session" | "https" | "request"
>;

/** The connection options that instances had when tokens were attached to them. */
export class KnownConnections {
  readonly #known = new Set<unknown>();

  /** Records the options of an instance. */
  add({ agent, createConnection, dnsCache, dnsLookup, h2session, https, request }: Connection): void {
    const agents = [agent?.http, agent?.https];
    const values = [...agents, createConnection, dnsCache, dnsLookup, h2session, request, ...identityOf(https)];
    for (const each of values) this.#known.add(each);
  }

  /** Returns whether a request may be connected to a server other than that of its URL, through options of its own. */
  isConnectedElsewhere(options: Pick<Options, keyof Connection>, url: URL): boolean {
    const { agent, createConnection, dnsCache, dnsLookup, h2session, https, request } = options;
    const isSecure = url.protocol === "https:";
    const byProtocol = isSecure ? identityOf(https) : [dnsCache, dnsLookup];
    const isOwn = (option: unknown) => Boolean(option) && !this.#known.has(option);
    const ownAgent = isSecure ? agent.https : agent.http;
    return (
      [createConnection, h2session, request, ...byProtocol].some(isOwn) ||
      (isOwn(ownAgent) && mayConnectElsewhere(ownAgent, url)) ||
      isUnixSocket(url)
    );
  }
}

/** Returns the options that decide which servers TLS accepts. */
const identityOf = ({ checkServerIdentity, rejectUnauthorized, serverName }: Connection["https"] = {}): unknown[] => [
  checkServerIdentity,
  serverName,
  rejectUnauthorized === false && "rejectUnauthorized",
];

/** got connects `http://unix:<socket>:<path>` to a socket. */
const isUnixSocket = ({ hostname, protocol }: URL): boolean => protocol === "unix:" || hostname === "unix";
