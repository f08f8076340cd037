import type { TokenSource, WithRequestOptions } from "@unexpired/core";
import { createAuthorizer, discardBody, type Origins, setInspectView } from "@unexpired/core/adapter";
import type { Options } from "ky";

export interface TokenOptions {
  readonly origins: Origins;
  readonly allowInsecure?: boolean | undefined;
  readonly isUnauthorized?: ((response: Response) => boolean | Promise<boolean>) | undefined;
}

/** Returns options for `ky.create` or `ky.extend`. */
export function withTokens(tokens: TokenSource, options: TokenOptions): Options {
  const authorizer = createAuthorizer<Response>(tokens, options);
  return {
    // a dispatcher in the options references other requests and their headers
    hooks: { beforeError: [({ error }) => Object.assign(error, { options: setInspectView({}, () => "[options]") })] },
    async fetch(input, init?: RequestInit & Partial<WithRequestOptions>) {
      const request = new Request(input);
      const { url, signal, headers } = request;
      if (headers.has("authorization")) return fetch(request, init);
      const authorization = await authorizer.authorize({
        url: new URL(url),
        host: headers.get("host"),
        signal,
        unexpired: init?.unexpired,
      });
      if (!authorization) return fetch(request, init);

      const send = (what: Request, authorization: string) =>
        fetch(what, { ...init, headers: { ...Object.fromEntries(headers), authorization } });
      const response = await send(request.clone(), authorization.header);
      const newer = await authorization.renew({
        response,
        status: response.status,
        headers: response.headers,
        url: response.url,
        method: request.method,
      });
      if (newer === undefined) return response;
      discardBody(response.body);
      const again = await send(request, newer);
      authorization.report(again);
      return again;
    },
  };
}
