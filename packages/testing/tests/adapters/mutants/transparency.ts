import { ProxyAgent } from "undici";
import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const HEADERS = "sends the caller's headers and query on both attempts";
const PATH = "joins the base URL and the path as the client does";
const RETRIES = "does not change the number of the client's own retries, even after a 401";
const HOOKS = "runs the caller's hooks as often as the client documents";
const DEFAULTS = "leaves the instance's defaults unchanged";
const DETACHED = "can be detached from the client and attached again";
const TIMEOUT = "enforces the client's timeout, even on the retry";

const isProxy = (dispatcher: unknown) => dispatcher instanceof ProxyAgent;

/** Changes the retry of every request. */
const repeating = (change: (request: PreparedRequest) => Partial<PreparedRequest>) =>
  class extends ReferenceClient {
    protected override retry(request: PreparedRequest, header: string) {
      return super.retry({ ...request, ...change(request) }, header);
    }
  };

const tries: readonly Mutant[] = [
  {
    name: "retries a request without the caller's headers",
    caughtBy: HEADERS,
    clause: "transparency",
    says: "were [PUT /things?page=2 1 text/x-own, PUT /things?page=2 undefined */*]",
    Client: repeating(({ headers }) => ({
      headers: new Headers([...headers].filter(([name]) => name === "content-type")),
    })),
  },
  {
    name: "retries a request with its query twice",
    caughtBy: HEADERS,
    clause: "transparency",
    says: "were [PUT /things?page=2 1 text/x-own, PUT /things?page=2&page=2 1 text/x-own]",
    Client: repeating(({ call, url }) => ({
      url: new URL(call.query ? `${url}&${new URLSearchParams(call.query)}` : url),
    })),
  },
  {
    name: "retries every request with GET",
    caughtBy: HEADERS,
    clause: "transparency",
    says: "were [PUT /things?page=2 1 text/x-own, GET /things?page=2 1 text/x-own]",
    Client: repeating(() => ({ method: "GET" })),
  },
  {
    name: "retries a request without the path of the base URL",
    caughtBy: PATH,
    clause: "transparency",
    says: "The paths of the two attempts were [/v1/things, /things] instead of [/v1/things, /v1/things].",
    Client: repeating(({ call, url }) => ({ url: Object.assign(new URL(call.url, url), { search: url.search }) })),
  },
  {
    name: "joins the base URL twice on the retry",
    caughtBy: PATH,
    clause: "transparency",
    says: "The paths of the two attempts were [/v1/things, /v1/v1/things] instead of [/v1/things, /v1/things].",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        const { pathname } = new URL(this.defaults.baseURL);
        const url = new URL(pathname.replace(/\/$/, "") + request.url.pathname + request.url.search, request.url);
        return super.retry({ ...request, url }, header);
      }
    },
  },
  {
    name: "bypasses the client's own retries on the retry",
    caughtBy: RETRIES,
    clause: "transparency",
    says: "After a 401, the client sent 1 requests instead of 3.",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        return this.transmit(this.withHeader(request, header));
      }
    },
  },
  {
    name: "adds its own retries to the client's",
    caughtBy: RETRIES,
    clause: "transparency",
    says: "The client sends 3 requests without the adapter, but 4 with it.",
    Client: class extends ReferenceClient {
      protected override async sendWithRetries(request: PreparedRequest) {
        const response = await super.sendWithRetries(request);
        return this.authorizer && response.status === 503 ? this.transmit(request) : response;
      }
    },
  },
  {
    name: "runs the caller's hooks again for the retry",
    caughtBy: HOOKS,
    clause: "transparency",
    says: "The hooks that ran were [request, before the adapter, request, after the adapter, request, before ",
    Client: class extends ReferenceClient {
      protected override retry(request: PreparedRequest, header: string) {
        this.runHooks("request");
        return super.retry(request, header);
      }
    },
  },
  {
    name: "sends the retry without the caller's transport",
    caughtBy: "sends both attempts through the caller's own transport",
    clause: "transparency",
    says: "The caller's own transport carried 1 of the two attempts.",
    Client: repeating(({ dispatcher }) => ({ dispatcher: isProxy(dispatcher) ? dispatcher : undefined })),
  },
  {
    name: "bypasses the caller's proxy on the retry",
    caughtBy: "sends both attempts through the caller's proxy",
    clause: "transparency",
    says: "A call to a host that only the caller's proxy knows failed: fetch failed",
    Client: repeating(({ dispatcher }) => ({ dispatcher: isProxy(dispatcher) ? undefined : dispatcher })),
  },
];

const kept: readonly Mutant[] = [
  {
    name: "writes the token to the instance's default headers",
    caughtBy: DEFAULTS,
    clause: "instance",
    says: "The instance's defaults changed after two requests.",
    Client: class extends ReferenceClient {
      protected override withHeader(request: PreparedRequest, header: string) {
        this.defaults.headers["x-authorization"] = header;
        return super.withHeader(request, header);
      }
    },
  },
  {
    name: "cannot be detached",
    caughtBy: DETACHED,
    clause: "instance",
    says: "were [Bearer canary-access-1, Bearer canary-access-2] instead of [none].",
    Client: class extends ReferenceClient {
      override detach() {}
    },
  },
  {
    name: "cannot be attached again",
    caughtBy: DETACHED,
    clause: "instance",
    says: "The call ended with status 401 instead of 200.",
    Client: class extends ReferenceClient {
      override detach() {
        super.detach();
        this.attach = () => {};
      }
    },
  },
  {
    name: "reports the client's timeout as an abort",
    caughtBy: TIMEOUT,
    clause: "transparency",
    says: "The server did not respond to the retry within the client's timeout, but the call threw AbortError: ",
    Client: class extends ReferenceClient {
      protected override async exchange(request: PreparedRequest) {
        return super.exchange(request).catch((error: unknown) => {
          throw request.signal.aborted ? new DOMException("Canceled", "AbortError") : error;
        });
      }
    },
  },
  {
    name: "sends the retry without the client's timeout",
    caughtBy: TIMEOUT,
    clause: "transparency",
    says: "GET / did not end within 15000 ms.",
    Client: repeating(({ call }) => ({ signal: call.signal ?? new AbortController().signal })),
  },
];

export const transparencyMutants: readonly Mutant[] = [...tries, ...kept];
