import { listenOnLoopback } from "./loopback.ts";

/** A protected API. */
export interface Api {
  readonly origin: string;
  close(): Promise<void>;
}

/** Starts an API that responds with 200 if `verify` accepts the bearer token, and otherwise with 401 (RFC 6750 §3). */
export async function startApi(verify: (accessToken: string) => Promise<boolean>): Promise<Api> {
  const { origin, close } = await listenOnLoopback(async (request, response) => {
    const [, accessToken] = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
    const accepted = accessToken !== undefined && (await verify(accessToken));
    const challenge = accepted ? {} : { "www-authenticate": 'Bearer error="invalid_token"' };
    response.writeHead(accepted ? 200 : 401, { "content-type": "application/json", ...challenge });
    response.end(JSON.stringify(accepted ? { ok: true } : { ok: false }));
  });
  return { origin, close };
}
