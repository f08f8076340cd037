import type { WithRequestOptions } from "@unexpired/core";
import { type Authorizer, discardBody, plainUrlOf, redactRequest, setInspectView } from "@unexpired/core/adapter";
import type { AxiosError, AxiosHeaders, AxiosResponse, InternalAxiosRequestConfig } from "axios";
import { type Connection, isConnectedElsewhere } from "./connection.ts";
import type { OwnAxios } from "./own-axios.ts";

/** Returns the response with its body transformed as for the caller. Rejects if `transformResponse` throws. */
export type GetTransformedResponse = () => Promise<AxiosResponse>;

/** The config of a request after all interceptors, with its body serialized. */
type RequestConfig = InternalAxiosRequestConfig & Partial<WithRequestOptions>;

/** An instance that tokens are attached to. */
export interface Attachment {
  readonly authorizer: Authorizer<GetTransformedResponse>;
  readonly axios: OwnAxios;
  readonly connection: Connection;
}

/** A config for the transport. */
interface Sent {
  readonly sent: RequestConfig;
  /** The URL of a request with the token. */
  readonly url?: URL;
}

/** The result of sending a request. An error that axios throws for a status has a response, too. */
interface SendResult {
  readonly response: AxiosResponse | undefined;
  readonly error: AxiosError | undefined;
  /** The URL that the response to a request with the token came from. */
  readonly finalUrl: string | undefined;
}

type Received = Pick<SendResult, "response" | "error"> & { readonly url: URL };

/** Sends a request with the token, and retries it once after a 401. */
export async function authorize(config: RequestConfig, attachment: Attachment): Promise<AxiosResponse> {
  const { axios, authorizer } = attachment;
  const { data, headers, method, signal, unexpired } = config;
  const url = targetOf(config, attachment);
  const host = hostOf(headers);
  const authorization = await authorizer.authorize({ url, host, signal: signal as AbortSignal | undefined, unexpired });
  if (!url || !authorization) return unwrap(await send(config, axios, { sent: copyOf(config) }));

  const sendWith = (header: string): Promise<SendResult> =>
    send(config, axios, { sent: withToken(config, header, (to) => authorizer.mayFollow(url, to)), url });
  const first = await sendWith(authorization.header);
  const { finalUrl, response } = first;
  if (!response || authorization.accepts(response.status)) return unwrap(first);
  const header = await authorization
    .renew({
      response: () => axios.transform(config, response),
      url: finalUrl,
      status: response.status,
      headers: toHeaders(response, headers),
      method,
      body: data,
    })
    .catch((error: unknown) => {
      discard(config, response);
      throw error;
    });
  if (header === undefined) return unwrap(first);
  discard(config, response);
  const second = await sendWith(header);
  if (second.response)
    authorization.report({ status: second.response.status, headers: toHeaders(second.response, headers) });
  return unwrap(second);
}

const unwrap = ({ response, error }: SendResult): AxiosResponse => {
  if (response && !error) return response;
  throw error;
};

/** Returns a copy. Most configs have no prototype, which makes this loop faster than `Object.assign`. */
function copyOf<T extends object>(object: T): T {
  const copy = Object.create(Object.getPrototypeOf(object)) as T;
  for (const name of Object.keys(object) as (keyof T)[]) copy[name] = object[name];
  for (const symbol of Object.getOwnPropertySymbols(object) as (keyof T)[]) copy[symbol] = object[symbol];
  return copy;
}

/**
 * Returns a copy of the config with the token. Only the copy has it, and only the transport gets the copy: errors and
 * responses refer to the caller's config.
 */
function withToken(config: RequestConfig, header: string, mayFollow: (to: URL) => boolean): RequestConfig {
  const { beforeRedirect } = config;
  const copy = copyOf(config);
  copy.headers = copyOf(config.headers);
  copy.headers.Authorization = header; // `set` would search for other spellings, slowly: the request has none
  copy.beforeRedirect = (options, ...details) => {
    if (!mayFollow(new URL(options.href))) removeToken(options.headers);
    beforeRedirect?.(options, ...details);
  };
  return copy;
}

/** Removes the header, which a caller may have spelled otherwise, with the value `undefined`. */
function removeToken(headers: Record<string, unknown>): void {
  for (const name of Object.keys(headers)) if (/^authorization$/i.test(name)) delete headers[name];
}

/** Sends a copy of the config. The result refers to the caller's config, and inspecting it does not show the token. */
async function send(config: RequestConfig, axios: OwnAxios, { sent, url }: Sent): Promise<SendResult> {
  let response: AxiosResponse | undefined;
  let error: AxiosError | undefined;
  try {
    response = await axios.dispatch(sent);
  } catch (failure) {
    error = failure as AxiosError;
    response = error?.response;
    for (const cause of causesOf(error)) restoreConfig(cause, config);
  }
  restoreConfig(response, config);
  return { response, error, finalUrl: url && hideToken(config, sent, { url, response, error }) };
}

const MAX_CAUSES = 5;

/** Returns an error and its causes: a transport may wrap the errors of another. */
function causesOf(error: unknown): readonly Partial<AxiosError>[] {
  const causes: Partial<AxiosError>[] = [];
  for (let each = error; causes.length < MAX_CAUSES && typeof each === "object" && each; each = (each as Error).cause) {
    causes.push(each);
  }
  return causes;
}

const restoreConfig = (holder: { config?: unknown } | undefined, config: RequestConfig): void => {
  if (holder?.config) Reflect.set(holder, "config", config); // it may be frozen
};

/** Hides the header from inspection wherever it is reachable; errors get a summary instead. Returns the final URL. */
function hideToken(config: RequestConfig, sent: RequestConfig, received: Received): string {
  const { error } = received;
  const finalUrl = hideRequests(config, received);
  const { fetchOptions, httpAgent, httpsAgent } = config;
  // agents reference other requests in flight
  const configView = () => ({ ...config, httpAgent: undefined, httpsAgent: undefined, fetchOptions: undefined });
  if (fetchOptions || httpAgent || httpsAgent) setInspectView(config, configView);
  if (error || isStream(config)) setInspectView(sent, configView);
  // an error that a transport has wrapped, or one that ends the stream, may refer to it
  if ((error && error.config !== config) || isStream(config)) sent.headers.delete("Authorization");
  return finalUrl;
}

/** Hides the requests of a response or of an error and its causes. Returns the final URL. */
function hideRequests(config: RequestConfig, { url: { href }, response, error }: Received): string {
  const request = error?.request ?? response?.request;
  const url = request?.res?.responseUrl ?? request?.responseURL ?? href; // Node or XMLHttpRequest
  if (!request && !error) return url;
  const view = redactRequest({ method: config.method, url, status: response?.status }, error);
  for (const each of [request, ...causesOf(error).map((cause) => cause.request)]) {
    setInspectView(each, () => view);
    setInspectView(each?._redirectable, () => view); // the object of the package follow-redirects
  }
  return url;
}

const isStream = ({ responseType }: RequestConfig): boolean => /^stream$/i.test(responseType ?? "");

/** Closes an unread stream, which would keep its connection open. */
function discard(config: RequestConfig, { data }: AxiosResponse): void {
  if (isStream(config)) discardBody(data);
}

/** Returns the URL that axios will request; `undefined` if it is invalid or the request must not get a token. */
function targetOf(config: RequestConfig, { axios, connection }: Attachment): URL | undefined {
  const { allowAbsoluteUrls, auth, baseURL, headers, params } = config;
  if (auth || headerOf(headers, "authorization") !== undefined) return undefined;
  const plain = params || allowAbsoluteUrls === false ? undefined : plainUrlOf(config.url, baseURL);
  try {
    const url = plain ?? new URL(axios.getUri(config), globalThis.location?.href);
    return isConnectedElsewhere(config, connection, url) ? undefined : url;
  } catch {
    return undefined; // axios reports the invalid URL
  }
}

/** Returns the request's own `Host` header. */
const hostOf = (headers: AxiosHeaders): string | undefined => {
  const host = headerOf(headers, "host");
  return host === undefined || host === null || host === false ? undefined : String(host);
};

/**
 * Returns a header, whose name is given in lower case. axios 1.0 keeps the instance's defaults under a symbol, and does not send a
 * header that is `undefined`.
 */
function headerOf(headers: AxiosHeaders, name: string): unknown {
  const [defaults] = Object.getOwnPropertySymbols(headers);
  if (defaults && headers.has(name)) return headers.get(name) ?? false;
  const all: Readonly<Record<string, unknown>> = defaults ? headers.toJSON() : headers;
  for (const key of Object.keys(all)) if (key.length === name.length && key.toLowerCase() === name) return all[key];
  return undefined;
}

/** Returns the headers of a response, which can be a plain object if the transport is the caller's. */
const toHeaders = ({ headers }: AxiosResponse, own: AxiosHeaders): AxiosHeaders =>
  typeof headers?.get === "function"
    ? (headers as AxiosHeaders)
    : (own.constructor as typeof AxiosHeaders).from(headers as AxiosHeaders);
