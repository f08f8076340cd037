import { ProxyAgent } from "undici";
import { ReferenceClient, type Sending } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const HEADERS = "sends the caller's headers and query with both tries";
const PATH = "joins base URL and path as the client does";
const RETRIES = "leaves the client's own retries as many as they are, also after a 401";
const HOOKS = "runs the caller's hooks, before and after the adapter's, as often as the client does";
const DEFAULTS = "leaves the instance's defaults as they are";
const DETACHED = "can be taken off the client, and put on again";
const TIMEOUT = "leaves the client's timeout in force, also for the second try";

const isProxy = (dispatcher: unknown) => dispatcher instanceof ProxyAgent;

/** The second try is another request. */
const repeating = (change: (sending: Sending) => Partial<Sending>) =>
  class extends ReferenceClient {
    protected override again(sending: Sending, header: string) {
      return super.again({ ...sending, ...change(sending) }, header);
    }
  };

const tries: readonly Mutant[] = [
  {
    name: "repeats a request with no header of the caller's",
    caughtBy: HEADERS,
    clause: "manners",
    says: "were [PUT /things?page=2 1 text/x-own, PUT /things?page=2 undefined */*]",
    Client: repeating(({ headers }) => ({
      headers: new Headers([...headers].filter(([name]) => name === "content-type")),
    })),
  },
  {
    name: "repeats a request with its query twice",
    caughtBy: HEADERS,
    clause: "manners",
    says: "were [PUT /things?page=2 1 text/x-own, PUT /things?page=2&page=2 1 text/x-own]",
    Client: repeating(({ call, url }) => ({
      url: new URL(call.query ? `${url}&${new URLSearchParams(call.query)}` : url),
    })),
  },
  {
    name: "repeats a request with GET",
    caughtBy: HEADERS,
    clause: "manners",
    says: "were [PUT /things?page=2 1 text/x-own, GET /things?page=2 1 text/x-own]",
    Client: repeating(() => ({ method: "GET" })),
  },
  {
    name: "repeats a request without the path of the base URL",
    caughtBy: PATH,
    clause: "manners",
    says: "The paths of the two tries were [/v1/things, /things], and not [/v1/things, /v1/things].",
    Client: repeating(({ call, url }) => ({ url: Object.assign(new URL(call.url, url), { search: url.search }) })),
  },
  {
    name: "joins the base URL and what has been joined with it",
    caughtBy: PATH,
    clause: "manners",
    says: "The paths of the two tries were [/v1/things, /v1/v1/things], and not [/v1/things, /v1/things].",
    Client: class extends ReferenceClient {
      protected override again(sending: Sending, header: string) {
        const { pathname } = new URL(this.defaults.baseURL);
        const url = new URL(pathname.replace(/\/$/, "") + sending.url.pathname + sending.url.search, sending.url);
        return super.again({ ...sending, url }, header);
      }
    },
  },
  {
    name: "repeats a request past the client's own retries",
    caughtBy: RETRIES,
    clause: "manners",
    says: "After a 401 there were 1 requests, and not 3 as without one.",
    Client: class extends ReferenceClient {
      protected override again(sending: Sending, header: string) {
        return this.transmit(this.withHeader(sending, header));
      }
    },
  },
  {
    name: "has retries of its own beside the client's",
    caughtBy: RETRIES,
    clause: "manners",
    says: "The client sends 3 requests alone, and 4 with the adapter.",
    Client: class extends ReferenceClient {
      protected override async attempts(sending: Sending) {
        const response = await super.attempts(sending);
        return this.authorizer && response.status === 503 ? this.transmit(sending) : response;
      }
    },
  },
  {
    name: "repeats a request through the caller's hooks",
    caughtBy: HOOKS,
    clause: "manners",
    says: "The hooks that ran were [request, before the adapter, request, after the adapter, request, before ",
    Client: class extends ReferenceClient {
      protected override again(sending: Sending, header: string) {
        this.runHooks("request");
        return super.again(sending, header);
      }
    },
  },
  {
    name: "repeats a request through a client of its own, without the caller's transport",
    caughtBy: "sends both tries through the caller's own transport",
    clause: "manners",
    says: "Of the two tries the caller's own transport carried 1.",
    Client: repeating(({ dispatcher }) => ({ dispatcher: isProxy(dispatcher) ? dispatcher : undefined })),
  },
  {
    name: "repeats a request past the caller's proxy",
    caughtBy: "sends both tries through the caller's proxy",
    clause: "manners",
    says: "A call to a host that only the caller's proxy knows failed: fetch failed",
    Client: repeating(({ dispatcher }) => ({ dispatcher: isProxy(dispatcher) ? undefined : dispatcher })),
  },
];

const kept: readonly Mutant[] = [
  {
    name: "writes the token to the instance's default headers",
    caughtBy: DEFAULTS,
    clause: "instance",
    says: "The instance's defaults were others after two requests.",
    Client: class extends ReferenceClient {
      protected override withHeader(sending: Sending, header: string) {
        this.defaults.headers["x-authorization"] = header;
        return super.withHeader(sending, header);
      }
    },
  },
  {
    name: "cannot be taken off the client",
    caughtBy: DETACHED,
    clause: "instance",
    says: "were [Bearer canary-access-1, Bearer canary-access-2], and not [none].",
    Client: class extends ReferenceClient {
      override detach() {}
    },
  },
  {
    name: "cannot be put on again",
    caughtBy: DETACHED,
    clause: "instance",
    says: "The call ended with status 401, and not 200.",
    Client: class extends ReferenceClient {
      override detach() {
        super.detach();
        this.attach = () => {};
      }
    },
  },
  {
    name: "takes the client's timeout for an abort",
    caughtBy: TIMEOUT,
    clause: "manners",
    says: "Nothing answered the second try within the client's timeout, and the call threw AbortError: ",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: Sending) {
        return super.exchange(sending).catch((error: unknown) => {
          throw sending.signal.aborted ? new DOMException("Canceled", "AbortError") : error;
        });
      }
    },
  },
  {
    name: "repeats a request without the client's timeout",
    caughtBy: TIMEOUT,
    clause: "manners",
    says: "GET / did not end within 15000 ms.",
    Client: repeating(({ call }) => ({ signal: call.signal ?? new AbortController().signal })),
  },
];

export const mannersMutants: readonly Mutant[] = [...tries, ...kept];
