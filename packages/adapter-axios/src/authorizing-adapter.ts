import type { WithRequestOptions } from "@unexpired/core";
import { type Authorizer, redactRequest, setInspectView } from "@unexpired/core/adapter";
import axios, {
  type AxiosError,
  type AxiosRequestConfig,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from "axios";

/** Returns the response with its body transformed as for the caller. Rejects if `transformResponse` throws. */
export type GetTransformedResponse = () => Promise<AxiosResponse>;

/** The config of a request after all interceptors, with its body serialized. */
type RequestConfig = InternalAxiosRequestConfig & Partial<WithRequestOptions>;

/** The result of sending a request. An error that axios throws for a status has a response, too. */
interface SendResult {
  readonly response?: AxiosResponse | undefined;
  readonly error?: AxiosError;
  /** The URL after redirects. */
  readonly finalUrl?: string;
}

/** Sends a request with the token, and retries it once after a 401. The token is in the config only during the request. */
export async function authorize(
  config: RequestConfig,
  authorizer: Authorizer<GetTransformedResponse>,
): Promise<AxiosResponse> {
  const { beforeRedirect, headers, method, signal, transformResponse = [], unexpired } = config;
  const url = targetOf(config);
  const authorization = await authorizer.authorize({ url, signal: signal as AbortSignal | undefined, unexpired });
  if (!url || !authorization) return dispatch(config, {});

  const sendWith = async (header: string): Promise<SendResult> => {
    headers.delete("Authorization"); // it may be present as `undefined`, in another case
    headers.set("Authorization", header);
    const changes: AxiosRequestConfig = {
      beforeRedirect(options, ...details) {
        if (!authorizer.mayFollow(url, new URL(options.href))) delete options.headers.Authorization;
        beforeRedirect?.(options, ...details);
      },
    };
    const result: SendResult = await dispatch(config, changes).then(
      (response) => ({ response }),
      (error) => ({ response: error?.response, error }),
    );
    headers.delete("Authorization");
    return { ...result, finalUrl: hideToken(config, url, result) };
  };
  const first = await sendWith(authorization.header);
  const { finalUrl, response } = first;
  if (!response) return unwrap(first);
  const renewal = authorization.renew({
    response: () => dispatch(config, { adapter: async () => ({ ...response }), transformResponse }),
    url: finalUrl,
    status: response.status,
    headers: response.headers,
    method,
    body: config.data,
  });
  if ((await renewal.catch(String)) === undefined) return unwrap(first);
  await response.data?.destroy?.(); // an unread stream would keep its connection open
  await response.data?.cancel?.();
  return unwrap(await sendWith((await renewal) as string));
}

const unwrap = ({ response, error }: SendResult): AxiosResponse => {
  if (response && !error) return response;
  throw error;
};

/** Hides the header from inspection wherever it is reachable; errors get a summary instead. Returns the final URL. */
function hideToken(config: RequestConfig, { href }: URL, { response, error }: SendResult): string {
  const request = error?.request ?? response?.request;
  const url = request?.res?.responseUrl ?? request?.responseURL ?? href; // Node or XMLHttpRequest
  const view = redactRequest({ method: config.method, url, status: response?.status }, error);
  setInspectView(request, () => view);
  setInspectView(request?._redirectable, () => view); // the object of the package follow-redirects
  // agents reference other requests in flight
  setInspectView(config, () => ({ ...config, httpAgent: undefined, httpsAgent: undefined, fetchOptions: undefined }));
  return url;
}

/**
 * Sends `config` with `changes`, which are undone afterwards. The body is already serialized, and the response is not
 * parsed yet. An axios instance without defaults selects the transport, which works in every version of axios.
 */
function dispatch(config: InternalAxiosRequestConfig, changes: AxiosRequestConfig): Promise<AxiosResponse> {
  const before = { beforeRedirect: undefined, ...config };
  const bare = new axios.Axios({});
  bare.interceptors.request.use(() => Object.assign(config, { transformRequest: [], transformResponse: [] }, changes));
  return bare.request({}).finally(() => Object.assign(config, before));
}

/** Returns the URL that axios will request; `undefined` if it is invalid or the request must not get a token. */
function targetOf(config: InternalAxiosRequestConfig): URL | undefined {
  const { auth, headers, socketPath } = config;
  // in axios 1.0, only `toJSON()` includes the instance's defaults
  if (socketPath || auth || headers.has("Authorization") || headers.toJSON().Authorization) return undefined;
  try {
    return new URL(new axios.Axios({}).getUri(config), globalThis.location?.href);
  } catch {
    return undefined; // axios reports the invalid URL
  }
}
