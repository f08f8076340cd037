import { canary } from "@unexpired-internal/test-support/canary";
import * as oauth from "oauth4webapi";
import { expect, it } from "vitest";
import { type ClientAuth, oauth2Refresh } from "../../src/oauth2.ts";
import { printed } from "../support/leaks.ts";
import { respondWith, startServer } from "../support/server.ts";

const tokens = { accessToken: canary("access", 1), refreshToken: canary("refresh", 1), tokenType: "Bearer", extra: {} };
const context = { signal: new AbortController().signal, attemptId: "1" };

/** Sends one request and returns what arrived at the server. */
async function send(clientAuth: ClientAuth, { clientId = "my-app", issuer = "https://as.example" } = {}) {
  await using server = await startServer(respondWith(200, { access_token: canary("access", 2) }));
  const refresh = oauth2Refresh({ tokenEndpoint: `${server.origin}/token`, clientId, clientAuth, issuer });
  await refresh(tokens, context);
  const [request] = server.received;
  const credentials = request?.headers.authorization?.replace("Basic ", "");
  return {
    basic: credentials === undefined ? undefined : Buffer.from(credentials, "base64").toString(),
    fields: Object.fromEntries(new URLSearchParams(request?.body)),
  };
}

it.each([
  ["my-app", "Ab-c_d.e~f", "my-app:Ab-c_d.e~f"],
  ["my app", "a+b/c=d", "my+app:a%2Bb%2Fc%3Dd"],
  ["a:b", "!'()*%", "a%3Ab:%21%27%28%29%2A%25"],
  ["é", "", "%C3%A9:"],
])("form-encodes the ID %j and the secret %j, and leaves unreserved characters alone", async (clientId, ...rest) => {
  const [clientSecret, expected] = rest;
  expect((await send({ method: "client_secret_basic", clientSecret }, { clientId })).basic).toBe(expected);
});

it("can leave the ID and the secret as they are, for servers that do not decode them", async () => {
  const auth = { method: "client_secret_basic", clientSecret: "a+b/c=é", encode: false } as const;
  expect((await send(auth)).basic).toBe("my-app:a+b/c=é");
});

it("sends an empty secret in the body", async () => {
  const { fields } = await send({ method: "client_secret_post", clientSecret: "" });
  expect(fields).toMatchObject({ client_id: "my-app", client_secret: "" });
});

it("accepts private_key_jwt of oauth4webapi, whose audience is the issuer", async () => {
  const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
  const { fields } = await send(oauth.PrivateKeyJwt(privateKey));
  const [, claims = ""] = fields.client_assertion?.split(".") ?? [];
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
    iss: "my-app",
    sub: "my-app",
    aud: "https://as.example",
  });
  expect(fields).toMatchObject({ client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" });
});

it("accepts tls_client_auth of oauth4webapi", async () => {
  expect((await send(oauth.TlsClientAuth())).fields).toMatchObject({ client_id: "my-app" });
});

it.each<[string, ClientAuth]>([
  ["a Basic header", { method: "client_secret_basic", clientSecret: "canary-s3cret" }],
  ["a secret in the body", { method: "client_secret_post", clientSecret: "canary-s3cret" }],
  ["a function's header", (...[, , , headers]) => headers.set("authorization", `Custom ${btoa("canary-s3cret")}`)],
  ["a function's assertion", (...[, , body]) => body.set("client_assertion", "canary-s3cret")],
])("shows no secret of the client if the server quotes it: %s", async (_name, clientAuth) => {
  await using server = await startServer((response, { headers, body }) => {
    const quoted = `${headers.authorization} ${new URLSearchParams(body)}`;
    respondWith(401, { error: "invalid_client", error_description: quoted })(response, { headers, body } as never);
  });
  const refresh = oauth2Refresh({ tokenEndpoint: `${server.origin}/token`, clientId: "c", clientAuth });
  const error: unknown = await refresh(tokens, context).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ error: "invalid_client" });
  expect(printed(error)).not.toContain("canary");
  expect(printed(error)).not.toContain(btoa("canary-s3cret"));
  expect(printed(error)).not.toContain(btoa("c:canary-s3cret"));
});
