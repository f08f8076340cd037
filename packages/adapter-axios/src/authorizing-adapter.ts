import type { WithRequestOptions } from "@unexpired/core";
import { type Authorizer, redactRequest, setInspectView } from "@unexpired/core/adapter";
import axios, {
  type AxiosError,
  type AxiosRequestConfig,
  type AxiosResponse,
  type InternalAxiosRequestConfig,
} from "axios";

/** Gives a response with the body as the caller would see it; rejects where `transformResponse` throws. */
export type AsSeen = () => Promise<AxiosResponse>;

/** A request on its way: after every interceptor, its body serialised. */
type Config = InternalAxiosRequestConfig & Partial<WithRequestOptions>;

/** How a request ended. An error for a status has its response, too. */
interface Ended {
  readonly response?: AxiosResponse | undefined;
  readonly error?: AxiosError;
  /** The last URL. */
  readonly answeredBy?: string;
}

/** Sends a request with the token, and once more after a 401. The config has the token only while it is under way. */
export async function authorize(config: Config, authorizer: Authorizer<AsSeen>): Promise<AxiosResponse> {
  const { beforeRedirect, headers, method, signal, transformResponse = [], unexpired } = config;
  const url = targetOf(config);
  const authorization = await authorizer.authorize({ url, signal: signal as AbortSignal | undefined, unexpired });
  if (!url || !authorization) return dispatch(config, {});

  const sendWith = async (header: string): Promise<Ended> => {
    headers.delete("Authorization"); // it may be there as `undefined`, and written otherwise
    headers.set("Authorization", header);
    const changes: AxiosRequestConfig = {
      beforeRedirect(options, ...details) {
        if (!authorizer.mayFollow(url, new URL(options.href))) delete options.headers.Authorization;
        beforeRedirect?.(options, ...details);
      },
    };
    const ended: Ended = await dispatch(config, changes).then(
      (response) => ({ response }),
      (error) => ({ response: error?.response, error }),
    );
    headers.delete("Authorization");
    return { ...ended, answeredBy: conceal(config, url, ended) };
  };
  const first = await sendWith(authorization.header);
  const { answeredBy, response } = first;
  if (!response) return give(first);
  const renewal = authorization.renew({
    response: () => dispatch(config, { adapter: async () => ({ ...response }), transformResponse }),
    url: answeredBy,
    status: response.status,
    headers: response.headers,
    method,
    body: config.data,
  });
  if ((await renewal.catch(String)) === undefined) return give(first);
  await response.data?.destroy?.(); // a stream that nobody will read keeps its connection
  await response.data?.cancel?.();
  return give(await sendWith((await renewal) as string));
}

const give = ({ response, error }: Ended): AxiosResponse => {
  if (response && !error) return response;
  throw error;
};

/** What leads to the header does not print; errors have a view in its place. Returns who answered. */
function conceal(config: Config, { href }: URL, { response, error }: Ended): string {
  const request = error?.request ?? response?.request;
  const url = request?.res?.responseUrl ?? request?.responseURL ?? href; // as far as the transport tells: Node, XMLHttpRequest
  const view = redactRequest({ method: config.method, url, status: response?.status }, error);
  setInspectView(request, () => view);
  setInspectView(request?._redirectable, () => view); // of the package follow-redirects
  // agents lead to other requests that are in flight
  setInspectView(config, () => ({ ...config, httpAgent: undefined, httpsAgent: undefined, fetchOptions: undefined }));
  return url;
}

/**
 * Sends `config` with `changes`, which are gone afterwards. Its body is serialised already, and the response is not
 * parsed yet. An instance without defaults finds the transport, in every version of axios.
 */
function dispatch(config: InternalAxiosRequestConfig, changes: AxiosRequestConfig): Promise<AxiosResponse> {
  const before = { beforeRedirect: undefined, ...config };
  const bare = new axios.Axios({});
  bare.interceptors.request.use(() => Object.assign(config, { transformRequest: [], transformResponse: [] }, changes));
  return bare.request({}).finally(() => Object.assign(config, before));
}

/** Where axios will send it; `undefined` where that is no origin, or axios will refuse, or the caller has credentials. */
function targetOf(config: InternalAxiosRequestConfig): URL | undefined {
  const { auth, headers, socketPath } = config;
  // in axios 1.0, only `toJSON()` knows the instance's defaults
  if (socketPath || auth || headers.has("Authorization") || headers.toJSON().Authorization) return undefined;
  try {
    return new URL(new axios.Axios({}).getUri(config), globalThis.location?.href);
  } catch {
    return undefined; // axios says what is wrong with it
  }
}
