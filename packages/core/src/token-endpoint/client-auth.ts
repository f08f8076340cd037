import * as oauth from "oauth4webapi";
import * as z from "zod/mini";
import { functionSchema } from "../util/check-options.ts";

/**
 * Adds a client's authentication to the body or the headers of a request, as the functions of `oauth4webapi` do: pass
 * `PrivateKeyJwt(key)` or `TlsClientAuth()`. `server.issuer` is the option `issuer`. If a promise does not settle within half
 * the timeout, nothing is sent.
 */
export type ClientAuthFunction = (
  ...request: [
    server: { readonly issuer: string; readonly token_endpoint?: string },
    client: { readonly client_id: string },
    body: URLSearchParams,
    headers: Headers,
  ]
) => void | Promise<void>;

/**
 * The client's authentication at the token endpoint ({@link https://www.rfc-editor.org/rfc/rfc6749#section-2.3 RFC 6749
 * §2.3}).
 */
export type ClientAuth =
  | { readonly method: "none" }
  | { readonly method: "client_secret_post"; readonly clientSecret: string }
  | {
      readonly method: "client_secret_basic";
      readonly clientSecret: string;
      /**
       * Whether the client ID and the secret are form-encoded before they are joined (RFC 6749 §2.3.1). Default `true`.
       * `false` is for servers that do not decode them: it matters only for characters such as `+`, `/` and `=`.
       */
      readonly encode?: boolean | undefined;
    }
  | ClientAuthFunction;

const secret = z.string().check(z.regex(/^\P{Surrogate}*$/u)); // some servers register clients with an empty secret

export const clientAuthSchema = z.union([
  z.object({ method: z.literal("none") }),
  z.object({ method: z.literal("client_secret_post"), clientSecret: secret }),
  z.object({ method: z.literal("client_secret_basic"), clientSecret: secret, encode: z.optional(z.boolean()) }),
  functionSchema,
]);
export const CLIENT_AUTH =
  '{ method: "none" }, { method: "client_secret_basic" | "client_secret_post", clientSecret }, or a function such as PrivateKeyJwt(key) of oauth4webapi';

/** Returns the function that authenticates the client, and the secrets that it may send. */
export function toClientAuth(given: ClientAuth): { auth: oauth.ClientAuth; secrets: string[] } {
  if (typeof given === "function") return fromFunction(given);
  switch (given.method) {
    case "none":
      return { auth: oauth.None(), secrets: [] };
    case "client_secret_post": {
      const { clientSecret } = given;
      const auth: oauth.ClientAuth = (...[, { client_id }, body]) => {
        body.set("client_id", client_id);
        body.set("client_secret", clientSecret);
      };
      return { auth, secrets: [clientSecret] };
    }
    case "client_secret_basic": {
      const { clientSecret, encode = true } = given;
      const secrets = [clientSecret];
      const auth: oauth.ClientAuth = (...[, { client_id }, , headers]) => {
        const encoded = toBase64([client_id, clientSecret].map(encode ? formEncode : String).join(":"));
        secrets[1] = encoded;
        headers.set("authorization", `Basic ${encoded}`);
      };
      return { auth, secrets };
    }
  }
}

const KEPT = 8;

/** Remembers what the function adds to each request, so that no error shows it. */
function fromFunction(given: ClientAuthFunction): { auth: oauth.ClientAuth; secrets: string[] } {
  const secrets: string[] = [];
  const auth: oauth.ClientAuth = async (...request) => {
    await given(...request);
    const [, , body, headers] = request;
    const credentials = headers.get("authorization")?.replace(/^\S+ /, "") ?? null;
    const added = [body.get("client_secret"), body.get("client_assertion"), credentials];
    secrets.push(...added.filter((each) => each !== null));
    secrets.splice(0, secrets.length - KEPT);
  };
  return { auth, secrets };
}

/** RFC 6749, appendix B: like `encodeURIComponent`, which leaves `-._~` as they are, and with `+` for a space. */
const formEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]|%20/g, (found) =>
    found === "%20" ? "+" : `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const toBase64 = (text: string): string => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
