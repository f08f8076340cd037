import { once } from "node:events";
import { request } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, expect, it, onTestFinished } from "vitest";
import { LoopbackReceiver } from "../src/loopback-receiver.ts";
import { parseRedirectUri } from "../src/redirect-uri.ts";

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

async function listen(redirectUri = "http://127.0.0.1/callback") {
  const receiver = await LoopbackReceiver.listen(parseRedirectUri(redirectUri));
  onTestFinished(() => receiver.end("failed"));
  return receiver;
}

interface Sent {
  readonly method?: string;
  /** The path and query. */
  readonly target?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends a request as it is, other than `fetch`, which sets some headers itself. */
async function send(receiver: LoopbackReceiver, { method = "GET", target, headers = {} }: Sent = {}) {
  const { hostname, port, pathname } = new URL(receiver.redirectUri);
  const path = target ?? `${pathname}?code=c&state=s`;
  const host = hostname.replace(/[[\]]/g, "");
  const outgoing = request({ host, port, method, path, headers, agent: false }).end();
  const [response] = await once(outgoing, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, headers: response.headers, text };
}

/** Returns the callback, if it has come. */
const callbackOf = (receiver: LoopbackReceiver) => Promise.race([receiver.callback, Promise.resolve(undefined)]);

const untilClosed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    socket.on("error", () => {}).once("close", () => resolve());
  });

describe("the loopback receiver", () => {
  it.for(["http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/a/b"])(
    "takes the callback on a free port of %s, and shows the page at the end",
    async (redirectUri, { skip }) => {
      skip(redirectUri.includes("[") && !hasIpv6, "needs IPv6 on the loopback interface");
      const receiver = await listen(redirectUri);
      expect(receiver.redirectUri).toMatch(/^http:\/\/[^/]+:\d{2,}\/(callback|a\/b)$/);
      const page = send(receiver);
      expect(await receiver.callback).toBe(`${receiver.redirectUri}?code=c&state=s`);
      await receiver.end("signed-in");
      const { status, headers, text } = await page;
      expect({ status, text }).toEqual({ status: 200, text: expect.stringContaining("You can close this tab") });
      expect(text).not.toMatch(/<script|https?:/);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "content-security-policy": expect.stringMatching(/^default-src 'none';/),
        connection: "close",
      });
    },
  );

  it.each([
    { what: "HEAD", sent: { method: "HEAD" } },
    { what: "POST", sent: { method: "POST" } },
    { what: "OPTIONS", sent: { method: "OPTIONS" } },
    { what: "a favicon", sent: { target: "/favicon.ico" } },
    { what: "another path", sent: { target: "/callback/?code=c&state=s" } },
    { what: "another spelling of the path", sent: { target: "/%63allback?code=c&state=s" } },
    { what: "an absolute target", sent: { target: "http://evil.example/callback?code=c&state=s" } },
    { what: "a call without parameters", sent: { target: "/callback" } },
    { what: "a host name that resolves to this machine", sent: { headers: { host: "evil.example" } } },
    { what: "another port in the host", sent: { headers: { host: "127.0.0.1:1" } } },
    { what: "fetch", sent: { headers: { "sec-fetch-mode": "no-cors", "sec-fetch-dest": "empty" } } },
    { what: "an image", sent: { headers: { "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image" } } },
    { what: "a frame", sent: { headers: { "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" } } },
    { what: "prefetching", sent: { headers: { "sec-fetch-dest": "document", "sec-purpose": "prefetch;prerender" } } },
    { what: "prefetching of older browsers", sent: { headers: { purpose: "prefetch" } } },
  ])("does not take $what for the callback", async ({ sent }) => {
    const receiver = await listen();
    expect(await send(receiver, sent)).toMatchObject({ status: 404, text: "" });
    expect(await callbackOf(receiver)).toBeUndefined();
  });

  it("takes an error, and a page load as browsers mark it", async () => {
    const receiver = await listen();
    const headers = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "cross-site" };
    void send(receiver, { target: "/callback?error=access_denied&state=s", headers });
    expect(await receiver.callback).toMatch(/\?error=access_denied&state=s$/);
    await receiver.end("refused");
  });

  it("takes a callback of Node's fetch, as of a program that acts as the browser", async () => {
    const receiver = await listen();
    const page = fetch(`${receiver.redirectUri}?code=c`);
    expect(await receiver.callback).toBe(`${receiver.redirectUri}?code=c`);
    await receiver.end("signed-in");
    expect((await page).status).toBe(200);
  });

  it("shows the same page to a browser that reloads, and keeps the first callback", async () => {
    const receiver = await listen();
    const page = send(receiver);
    await receiver.callback;
    const reloaded = send(receiver, { target: "/callback?code=second" });
    await send(receiver, { target: "/favicon.ico" }); // sent later, so that the reload has arrived
    expect(await receiver.callback).toMatch(/code=c&state=s$/);
    await receiver.end("signed-in");
    expect([await page, await reloaded]).toMatchObject([{ status: 200 }, { status: 200 }]);
  });

  it("repeats nothing that a request says", async () => {
    const receiver = await listen();
    const markup = "<script>alert(1)</script>";
    const target = `/callback?error=${encodeURIComponent(markup)}&error_description=${encodeURIComponent(markup)}`;
    const page = send(receiver, { target });
    await receiver.callback;
    await receiver.end("mismatched");
    const { status, text } = await page;
    expect(status).toBe(400);
    expect(text).not.toMatch(/script|alert/);
  });

  it("closes idle and unfinished connections, and frees the port", async () => {
    const receiver = await listen();
    const { port } = new URL(receiver.redirectUri);
    const [idle, unfinished] = [connect(Number(port), "127.0.0.1"), connect(Number(port), "127.0.0.1")];
    await Promise.all([once(idle, "connect"), once(unfinished, "connect")]);
    unfinished.write("GET /callback?co");
    const closed = Promise.all([idle, unfinished].map(untilClosed));
    await receiver.end("failed");
    await closed;
    const again = createServer().listen(Number(port), "127.0.0.1");
    await once(again, "listening");
    again.close();
  });

  it.each(["127.0.0.1", "localhost"])("rejects if its port is taken on %s", async (host) => {
    const other = createServer().listen(0, host === "localhost" && hasIpv6 ? "::1" : "127.0.0.1");
    await once(other, "listening");
    onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const listening = LoopbackReceiver.listen(new URL(`http://${host}:${port}/callback`));
    await expect(listening).rejects.toMatchObject({ code: "EADDRINUSE" });
    if (host === "127.0.0.1") return;
    const free = createServer().listen(port, "127.0.0.1"); // what was opened before is closed
    await once(free, "listening");
    free.close();
  });
});

describe("redirectUri", () => {
  it.each([
    "https://127.0.0.1/callback",
    "http://127.0.0.2/callback",
    "http://evil.example/callback",
    "http://localhost.evil.example/callback",
    "http://user@127.0.0.1/callback",
    "http://127.0.0.1/callback?a=b",
    "http://127.0.0.1/callback#a",
    "com.example.app:/callback",
    "callback",
    8400,
  ])("rejects %s", (redirectUri) => {
    expect(() => parseRedirectUri(redirectUri)).toThrow(
      new TypeError(
        'redirectUri: expected an http: URL on 127.0.0.1, [::1], localhost without a query, such as "http://127.0.0.1/callback" or "http://127.0.0.1:8400/callback".',
      ),
    );
  });
});
