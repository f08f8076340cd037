import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { type Ending, PAGE_HEADERS, renderPage } from "./page.ts";
import { addressesOf } from "./redirect-uri.ts";

/**
 * Whether a request is a page load, as opposed to those of scripts, images, frames, and of prefetching
 * ({@link https://www.w3.org/TR/fetch-metadata/ Fetch Metadata}): browsers send the destination with each request. Not by the
 * mode, because programs that act as a browser, such as those that use the `fetch` of Node, send another one.
 */
function isPageLoad({
  "sec-fetch-dest": destination = "document",
  "sec-purpose": purpose,
  ...others
}: IncomingHttpHeaders) {
  const isPrefetch = [purpose, others.purpose].some((each) => String(each).includes("prefetch"));
  return destination === "document" && !isPrefetch;
}

/** Waits on a loopback address for the browser to come back from the authorization server. */
export class LoopbackReceiver {
  /** The redirect URI, with the port. */
  readonly redirectUri: string;
  /** Resolves to the URL to which the browser comes back first. */
  readonly callback: Promise<string>;
  readonly #url: URL;
  readonly #servers: readonly Server[];
  readonly #waiting = new Set<ServerResponse>();

  private constructor(url: URL, servers: readonly Server[]) {
    this.#url = url;
    this.redirectUri = url.href;
    this.#servers = servers;
    this.callback = new Promise((resolve) => {
      const listener = (request: IncomingMessage, response: ServerResponse) => {
        if (!this.#isCallback(request)) return void response.writeHead(404, PAGE_HEADERS).end();
        this.#waiting.add(response.once("close", () => this.#waiting.delete(response)));
        resolve(`${url.origin}${request.url}`);
      };
      for (const server of servers) server.on("request", listener);
    });
  }

  /**
   * Listens on the host and port of a redirect URI; without a port, on a free one.
   *
   * @throws the error of `listen`, such as `EADDRINUSE`
   */
  static async listen(redirectUri: URL): Promise<LoopbackReceiver> {
    const url = new URL(redirectUri);
    const [address, ...others] = addressesOf(url);
    const first = await listenOn(Number(url.port), address);
    const { port } = first.address() as AddressInfo;
    url.port = String(port);
    const servers = [first];
    try {
      for (const other of others) servers.push(await listenOn(port, other));
    } catch (error) {
      // any other error: this machine has no IPv6
      if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
        for (const server of servers) server.close();
        throw error;
      }
    }
    return new LoopbackReceiver(url, servers);
  }

  /** Whether a request is the return of the browser. The `Host` header keeps out pages whose names resolve to this machine. */
  #isCallback({ method, url = "", headers }: IncomingMessage): boolean {
    const [path, query = ""] = url.split("?", 2);
    const isExact = method === "GET" && path === this.#url.pathname && headers.host === this.#url.host;
    const parameters = new URLSearchParams(query);
    return isExact && isPageLoad(headers) && (parameters.has("code") || parameters.has("error"));
  }

  /** Shows the last page to the browser, if it is waiting, and closes everything. */
  async end(ending: Ending): Promise<void> {
    const waiting = [...this.#waiting];
    const status = ending === "signed-in" ? 200 : 400;
    for (const response of waiting) response.writeHead(status, PAGE_HEADERS).end(renderPage(ending));
    await Promise.all(waiting.map((response) => once(response, "close").catch(() => {})));
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

async function listenOn(port: number, host: string): Promise<Server> {
  const server = createServer();
  server.listen({ port, host, exclusive: true });
  await once(server, "listening");
  return server;
}
