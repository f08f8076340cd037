import { ConformanceError } from "../contract.ts";
import { within } from "../within.ts";
import { type ForwardProxy, startForwardProxy } from "./forward-proxy.ts";
import type { AdapterHarness, Call, Client, ClientSetup, Outcome } from "./harness.ts";
import { type ResourceServer, startResourceServer } from "./resource-server.ts";
import { type Session, startSession } from "./session.ts";

const TIMEOUT = 15_000; // ms; generous: the operation takes milliseconds

/** The environment of one case: a session, two servers, and clients with the adapter. */
export class AdapterScene implements AsyncDisposable {
  readonly harness: AdapterHarness;
  /** The server whose origin receives tokens. */
  readonly api: ResourceServer;
  /** A server with another origin: the same host on another port. */
  readonly other: ResourceServer;
  readonly session: Session;
  readonly #cleanUp: AsyncDisposable[];

  private constructor(
    harness: AdapterHarness,
    [api, other]: readonly [ResourceServer, ResourceServer],
    session: Session,
  ) {
    this.harness = harness;
    this.api = api;
    this.other = other;
    this.session = session;
    this.#cleanUp = [api, other, session];
  }

  /** Starts the servers and the session. */
  static async create(harness: AdapterHarness): Promise<AdapterScene> {
    const servers = [await startResourceServer(), await startResourceServer()] as const;
    return new AdapterScene(harness, servers, await startSession());
  }

  /** Creates a client with the session's tokens for the origin of `api`, unless `setup` overrides them. */
  async connect(setup: Partial<ClientSetup> = {}): Promise<Client> {
    const { origin } = this.api;
    return this.harness.connect({ tokens: this.session.tokens, baseURL: origin, origins: [origin], ...setup });
  }

  /** Sends one request with a new client. */
  async send(call: Call, setup: Partial<ClientSetup> = {}): Promise<Outcome> {
    return sendWith(await this.connect(setup), call);
  }

  /** Starts a forward proxy to `api`, whatever host a request names. */
  async proxy(): Promise<ForwardProxy> {
    return this.#keep(await startForwardProxy(this.api.origin));
  }

  /** Starts another session, which ends with the scene. */
  async createSession(...parameters: Parameters<typeof startSession>): Promise<Session> {
    return this.#keep(await startSession(...parameters));
  }

  #keep<T extends AsyncDisposable>(resource: T): T {
    this.#cleanUp.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#cleanUp.reverse()) await resource[Symbol.asyncDispose]();
  }
}

/** Sends a request. Throws a ConformanceError if that takes more than `timeout` ms. */
export const sendWith = (client: Client, call: Call, timeout = TIMEOUT): Promise<Outcome> =>
  within(timeout, client.send(call), () => late(call, timeout));

const late = ({ method = "GET", url }: Call, timeout: number) =>
  new ConformanceError("transparency", `${method} ${url} did not end within ${timeout} ms.`);
