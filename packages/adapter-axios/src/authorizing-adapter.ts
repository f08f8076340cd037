import type { Authorizer } from "@unexpired/core";
import { Axios, type AxiosAdapter, type AxiosResponse, type InternalAxiosRequestConfig, isAxiosError } from "axios";

/** One request on its way: after every interceptor, its body serialised. */
interface Sending {
  readonly config: InternalAxiosRequestConfig;
  readonly send: AxiosAdapter;
  readonly authorizer: Authorizer;
  /** Whether the token may go along with a redirect. */
  readonly mayFollow: (from: URL, to: URL) => boolean;
}

/** Sends a request with the token, and once more after a 401. */
export async function authorize(sending: Sending): Promise<AxiosResponse> {
  const { config, send, authorizer } = sending;
  const target = targetOf(config);
  if (!target || hasOwnCredentials(config, target)) return send(config);
  const options = { signal: signalOf(config) };
  const accessToken = await authorizer.tokenFor(target, options);
  if (accessToken === undefined) return send(config);

  const first = await sendWith(accessToken, target, sending);
  const { response } = first;
  const url = response && answeredBy(response, target);
  if (!url || url.origin !== target.origin) return first.give(); // no answer, or one to a redirect that went without the token
  const answer = {
    status: response.status,
    wwwAuthenticate: response.headers["www-authenticate"]?.toString(),
    url,
    accessToken,
    replayable: isReplayable(config.data),
  };
  const newer = await authorizer.tokenAfter(answer, options).catch(async (error: unknown) => {
    await discard(response);
    throw error;
  });
  if (newer === undefined) return first.give();
  await discard(response);
  return (await sendWith(newer, target, sending)).give();
}

interface Outcome {
  /** The response, also where axios makes an error of it. */
  readonly response: AxiosResponse | undefined;
  /** Returns or throws it in axios's own form. */
  readonly give: () => AxiosResponse;
}

/** The config holds the token only as long as the request is under way, so that no error of axios shows it. */
async function sendWith(accessToken: string, target: URL, { config, send, mayFollow }: Sending): Promise<Outcome> {
  const { beforeRedirect } = config;
  config.headers.set("Authorization", `Bearer ${accessToken}`);
  config.beforeRedirect = (options, ...details) => {
    if (!mayFollow(target, new URL(options.href))) removeAuthorization(options.headers);
    beforeRedirect?.(options, ...details);
  };
  try {
    const response = await send(config);
    hideRequest(response);
    return { response, give: () => response };
  } catch (error) {
    const response = isAxiosError(error) ? error.response : undefined;
    for (const holder of [error, response]) hideRequest(holder);
    return {
      response,
      give: () => {
        throw error;
      },
    };
  } finally {
    config.headers.delete("Authorization");
    Object.assign(config, { beforeRedirect });
  }
}

/** Where axios will send it; `undefined` where axios will refuse, or connect to something that is no origin. */
const targetOf = (config: InternalAxiosRequestConfig): URL | undefined => {
  if (config.socketPath) return undefined;
  try {
    return new URL(new Axios({}).getUri(config), globalThis.location?.href);
  } catch {
    return undefined; // axios says what is wrong with it
  }
};

/** axios replaces any `Authorization` where there is a user name or a password. */
const hasOwnCredentials = ({ headers, auth }: InternalAxiosRequestConfig, { username, password }: URL): boolean =>
  headers.has("Authorization") || Boolean(auth || username || password);

/** The last URL after redirects, as far as the transport tells (Node, XMLHttpRequest). */
const answeredBy = ({ request }: AxiosResponse, asked: URL): URL => {
  const url: unknown = request?.res?.responseUrl ?? request?.responseURL;
  return typeof url === "string" && URL.canParse(url) ? new URL(url) : asked;
};

const isReplayable = (data: unknown): boolean =>
  typeof data !== "object" || data === null || !("pipe" in data || "getReader" in data);

const signalOf = ({ signal, cancelToken }: InternalAxiosRequestConfig): AbortSignal | undefined => {
  const own = signal instanceof AbortSignal ? [signal] : [];
  if (!cancelToken) return own[0];
  const canceled = new AbortController();
  void cancelToken.promise.then(() => canceled.abort());
  return AbortSignal.any([...own, canceled.signal]);
};

/** A stream that nobody will read keeps its connection. */
const discard = async ({ data }: AxiosResponse): Promise<void> => {
  await (data?.destroy ?? data?.cancel)?.call(data);
};

/** Node's request prints its headers. It stays where it is, and does not show. */
const hideRequest = (holder: unknown): void => {
  if (typeof holder === "object" && holder !== null && "request" in holder) {
    Object.defineProperty(holder, "request", { enumerable: false });
  }
};

const removeAuthorization = (headers: Record<string, unknown>): void => {
  for (const name of Object.keys(headers)) if (name.toLowerCase() === "authorization") delete headers[name];
};
