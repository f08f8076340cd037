import { expect } from "vitest";
import { type AnyUnexpiredError, UnexpiredError } from "../../src/errors.ts";
import { printed } from "./leaks.ts";
import { type Handler, type Received, respondWith, startServer } from "./server.ts";

/** Responds by the path of the request. A list plays one handler per request, and repeats the last one. */
export async function startRoutes(routes: Readonly<Record<string, Handler | readonly Handler[]>>) {
  const played = new Map<string, number>();
  return startServer((response, received) => {
    const path = received.path?.split("?")[0] ?? "";
    const handlers = [routes[path] ?? respondWith(404, "<html>Not found</html>")].flat();
    const count = played.get(path) ?? 0;
    played.set(path, count + 1);
    handlers[Math.min(count, handlers.length - 1)]?.(response, received);
  });
}

/** Responds with the metadata of the server that receives the request. */
export const metadata =
  (changes: Readonly<Record<string, unknown>> = {}, path = ""): Handler =>
  (response, received) => {
    const origin = `http://${received.headers.host}`;
    const endpoints = Object.fromEntries(
      ["token", "authorization", "device_authorization", "registration", "revocation"].map((name) => [
        `${name}_endpoint`,
        `${origin}/${name}`,
      ]),
    );
    respondWith(200, { issuer: `${origin}${path}`, ...endpoints, ...changes })(response, received);
  };

export const AS_METADATA = "/.well-known/oauth-authorization-server";
export const OIDC_METADATA = "/.well-known/openid-configuration";

/** A handler that never responds, which a test can only wait for. */
export const silent: Handler = () => {};

/** Returns a short time-out for a server that does not respond, and none for others: the machine may be slow. */
export const timeoutFor = (handler: Handler): { readonly timeout?: number } =>
  handler === silent ? { timeout: 1_000 } : {};

/** Returns the requests to a path, as their form parameters. */
export const formsTo = (received: readonly Received[], path: string): Record<string, string>[] =>
  received.filter((each) => each.path === path).map(({ body }) => Object.fromEntries(new URLSearchParams(body)));

/** Returns the typed error of a promise that rejects, which shows no secret. */
export async function failureOf(promise: Promise<unknown>): Promise<AnyUnexpiredError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!UnexpiredError.is(error)) throw new Error("There was no typed error.", { cause: error });
  expect(printed(error)).not.toContain("canary");
  return error;
}
