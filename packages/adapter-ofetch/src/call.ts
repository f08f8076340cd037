import type { Authorizer } from "@unexpired/core";
import { createFetch, type FetchContext, type FetchOptions, type FetchResponse } from "ofetch";

/** What one call carries through all of its tries: ofetch hands `options` on from one to the next. */
interface Call {
  /** The token of the try that is under way, and where it went. */
  sent?: { readonly accessToken: string; readonly url: URL } | undefined;
  /** While the next try is ours: the caller's options, put back when it begins. */
  granted?: { [Option in "retryStatusCodes" | "retryDelay" | "ignoreResponseError"]: FetchOptions[Option] } | undefined;
  /** The call had its 401. */
  asked?: boolean;
}

const CALL = Symbol("unexpired.call");

const callOf = ({ options }: FetchContext): Call => {
  const carrier: FetchOptions & { [CALL]?: Call } = options;
  carrier[CALL] ??= {};
  return carrier[CALL];
};

/** Whether ofetch is about to repeat the call for us. */
export const isGranted = (context: FetchContext): boolean => callOf(context).granted !== undefined;

/** A try begins: the caller's own retries are what they were. */
export function begin(context: FetchContext): void {
  const call = callOf(context);
  Object.assign(context.options, call.granted);
  call.granted = undefined;
}

/** Puts the token on a try. */
export async function attach(context: FetchContext, authorizer: Authorizer): Promise<void> {
  const { headers } = context.options;
  const url = await targetOf(context);
  if (!url || headers.has("authorization")) return;
  const signal = context.options.signal ?? undefined;
  const accessToken = await authorizer.tokenFor(url, { signal }).catch((error: unknown) => {
    if (!signal?.aborted) throw error; // else ofetch says so, in its own form
  });
  if (accessToken === undefined) return;
  headers.set("authorization", `Bearer ${accessToken}`);
  callOf(context).sent = { accessToken, url };
}

/** Takes the token off again: the options hold it only while a try is under way, so that no error of ofetch shows it. */
export function detach(context: FetchContext): Call["sent"] {
  const call = callOf(context);
  const { sent } = call;
  if (sent) context.options.headers.delete("authorization");
  call.sent = undefined;
  return sent;
}

/** After a 401: lets ofetch try once more, in addition to the caller's own retries. */
export async function grantRetry(
  context: FetchContext & { response: FetchResponse<unknown> },
  authorizer: Authorizer,
): Promise<void> {
  const sent = detach(context);
  const call = callOf(context);
  const { response, options } = context;
  const url = response.url ? new URL(response.url) : sent?.url;
  if (!sent || call.asked || url?.origin !== sent.url.origin) return; // a redirect elsewhere went without the token
  call.asked = response.status === 401;
  const answer = {
    status: response.status,
    wwwAuthenticate: response.headers.get("www-authenticate"),
    url,
    accessToken: sent.accessToken,
    replayable: isReplayable(context),
  };
  const signal = options.signal ?? undefined;
  const newer = await authorizer.tokenAfter(answer, { signal }).catch((error: unknown) => {
    if (!signal?.aborted) throw error;
    return ""; // the next try meets the abort, and ofetch says so in its own form
  });
  if (newer === undefined) return;
  const { retryStatusCodes, retryDelay, ignoreResponseError } = options;
  call.granted = { retryStatusCodes, retryDelay, ignoreResponseError };
  Object.assign(options, {
    retry: retriesOf(options) + 1,
    retryStatusCodes: [401],
    retryDelay: 0,
    ignoreResponseError: false,
  });
}

/** The caller's own retries that are left; the default is ofetch's. */
const retriesOf = ({ retry, method = "GET" }: FetchOptions): number =>
  typeof retry === "number" ? retry : retry === false || /^(PATCH|POST|PUT|DELETE)$/i.test(method) ? 0 : 1;

/** Where ofetch will send it. ofetch itself is asked, with a transport that only listens. */
async function targetOf({ request, options: { baseURL, query } }: FetchContext): Promise<URL | undefined> {
  let target = typeof request === "object" && "url" in request ? request.url : String(request);
  if (typeof request === "string") {
    const listen = async (input: unknown) => {
      target = String(input);
      return new Response(null, { status: 204 });
    };
    await createFetch({ fetch: listen }).raw(request, Object.assign<FetchOptions, object>({}, { baseURL, query }));
  }
  const base = globalThis.location?.href;
  return URL.canParse(target, base) ? new URL(target, base) : undefined;
}

/** Streams, async iterables and the body of a `Request` can be read only once. */
const isReplayable = ({ request, options: { body } }: FetchContext): boolean => {
  if (typeof request === "object" && request.body) return false;
  return (
    typeof body !== "object" || body === null || !["pipe", "getReader", Symbol.asyncIterator].some((key) => key in body)
  );
};
