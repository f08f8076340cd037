/** Token pools through each HTTP adapter, against a real server. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { createTokenManager, createTokenPool } from "@unexpired/core";
import { type Body, type Call, type ClientSetup, type Responder, startResourceServer } from "@unexpired/testing";
import {
  axiosHarness,
  fetchHarness,
  gotHarness,
  ofetchHarness,
} from "@unexpired-internal/test-support/adapter-harnesses";
import { canary } from "@unexpired-internal/test-support/canary";
import { describe, expect, it } from "vitest";

const HARNESSES = { fetch: fetchHarness, axios: axiosHarness, ofetch: ofetchHarness, got: gotHarness };
const [A, B] = [canary("access", "a"), canary("access", "b")];
const bearer = (accessToken: string) => `Bearer ${accessToken}`;

/** Limits these access tokens with a status. */
const limiting =
  (status: number, ...limited: readonly string[]): Responder =>
  ({ authorization }) =>
    limited.map(bearer).includes(authorization ?? "")
      ? { status, headers: { "retry-after": "90" }, body: '{"error":"limited"}' }
      : { status: 200 };

/** A pool of two sessions, and a client over it. */
async function startClient(harness: (typeof HARNESSES)[keyof typeof HARNESSES], setup: Partial<ClientSetup> = {}) {
  const api = await startResourceServer();
  const managers = { a: createTokenManager(), b: createTokenManager() };
  await managers.a.signIn({ accessToken: A });
  await managers.b.signIn({ accessToken: B });
  const pool = createTokenPool(managers);
  const client = await harness.connect({ tokens: pool, baseURL: api.origin, origins: [api.origin], ...setup });
  const send = (call: Partial<Call> = {}) => client.send({ url: `${api.origin}/`, ...call });
  const sent = () => api.received.map(({ authorization }) => authorization);
  const aside = async () => (await pool.why()).unavailable.map(({ entry, reason }) => `${entry} ${reason}`);
  return { api, pool, send, sent, aside, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

describe.each(Object.entries(HARNESSES))("a pool with %s", (_name, harness) => {
  it.each([
    [429, "a rate_limited"],
    [402, "a payment_required"],
  ])("retries a %i once, with another entry", async (status, expected) => {
    await using client = await startClient(harness);
    client.api.respond = limiting(status, A);
    const before = Date.now();
    expect(await client.send()).toMatchObject({ status: 200 });
    expect(client.sent()).toEqual([bearer(A), bearer(B)]);
    expect(client.pool.source()).toBe("b");
    expect(await client.aside()).toEqual([expected]);
    const [{ until = 0 } = {}] = (await client.pool.why()).unavailable;
    expect(Math.abs(until - before - 90_000)).toBeLessThan(10_000);
  });

  it("surfaces the response if both entries are limited, and puts both aside", async () => {
    await using client = await startClient(harness);
    client.api.respond = limiting(429, A, B);
    expect(await client.send()).toMatchObject({ status: 429 });
    expect(client.sent()).toEqual([bearer(A), bearer(B)]);
    await expect.poll(client.aside).toEqual(["a rate_limited", "b rate_limited"]);
  });

  it("surfaces the response if no other entry is left", async () => {
    await using client = await startClient(harness);
    client.api.respond = limiting(429, A, B);
    await client.pool.getAccessToken(); // it is b's turn
    await client.pool.replaceRejected(A, { response: { status: 429 } });
    expect(await client.send()).toMatchObject({ status: 429 });
    expect(client.sent()).toEqual([bearer(B)]);
    const failure = await client.send().catch((error: unknown) => error);
    expect(harness.unwrapError?.(failure) ?? failure).toMatchObject({ code: "REFRESH_FAILED", reason: "exhausted" });
    expect(client.sent()).toHaveLength(1);
  });

  it("puts an entry aside once for many late responses", async () => {
    await using client = await startClient(harness);
    const twenty = Array.from({ length: 20 }, () => client.send());
    client.api.respond = limiting(429, A);
    expect((await Promise.all(twenty)).map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(client.sent()).toHaveLength(30);
  });

  it("does not send a stream twice, but puts the entry aside", async () => {
    await using client = await startClient(harness);
    client.api.respond = limiting(429, A);
    const body: Body = harness.bodies.webStream
      ? { kind: "webStream", value: new Blob(["once"]).stream() }
      : { kind: "stream", value: Readable.from(["once"]) };
    expect(await client.send({ method: "POST", body })).toMatchObject({ status: 429 });
    expect(client.sent()).toEqual([bearer(A)]);
    expect(await client.aside()).toEqual(["a rate_limited"]);
  });

  it("closes the first response of a streamed call", async ({ skip }) => {
    const reason = harness.unsupported?.stream;
    skip(reason !== undefined, `not applicable: ${reason}`);
    const closed: Promise<unknown>[] = [];
    const server = createServer((request, response) => {
      const isLimited = request.headers.authorization === bearer(A);
      if (isLimited) closed.push(once(response, "close"));
      response.writeHead(isLimited ? 429 : 200).write("x".repeat(1_000_000));
      if (!isLimited) response.end();
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using client = await startClient(harness, { baseURL: origin, origins: [origin] });
    const { status, body } = await client.send({ url: `${origin}/`, read: "stream" });
    expect([status, (await text(body as ReadableStream)).length]).toEqual([200, 1_000_000]);
    expect(closed).toHaveLength(1);
    await closed[0];
    server.close();
  });
});
