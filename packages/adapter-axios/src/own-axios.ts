import type { Axios, AxiosRequestConfig, AxiosResponse, InternalAxiosRequestConfig } from "axios";

/** The part of the caller's copy of axios that the adapter uses. This package never imports axios itself. */
export interface OwnAxios {
  /** Returns the URL that axios will request. */
  getUri(config: AxiosRequestConfig): string;
  /** Sends a config whose body is serialized already. The response is not parsed. Changes the config. */
  dispatch(config: InternalAxiosRequestConfig): Promise<AxiosResponse>;
  /** Returns the response with its body transformed as for the caller. Rejects if `transformResponse` throws. */
  transform(config: InternalAxiosRequestConfig, response: AxiosResponse): Promise<AxiosResponse>;
}

/** Carries a config through an instance, which would copy an object but not a function. */
interface Carrier {
  config(): InternalAxiosRequestConfig;
}

/**
 * Returns the copy of axios that an instance belongs to, so that errors and headers have the caller's own classes. A
 * program can have several copies: those of its ES modules, of its CommonJS modules, and of its dependencies.
 */
export function ownAxiosOf(instance: object): OwnAxios {
  const bare = createBare(instance);
  const unpack = (carrier: unknown) => (carrier as Carrier).config();
  bare.interceptors.request.use(unpack, undefined, { synchronous: true });
  const request = (config: InternalAxiosRequestConfig): Promise<AxiosResponse> => {
    const carrier: Carrier = { config: () => config };
    return bare.request(carrier as AxiosRequestConfig);
  };
  return {
    getUri({ allowAbsoluteUrls, baseURL, params, paramsSerializer, url }) {
      const target = { allowAbsoluteUrls, baseURL, url };
      return bare.getUri((params ? { ...target, params, paramsSerializer } : target) as AxiosRequestConfig);
    },
    dispatch(config) {
      if (typeof config.adapter === "function") return config.adapter(config);
      return request(Object.assign(config, { transformRequest: [], transformResponse: [] })); // selects it by its name
    },
    transform: (config, response) =>
      request({ ...config, adapter: async () => ({ ...response }), transformRequest: [] }),
  };
}

type AxiosClass = new (defaults: object) => Axios;

/** Returns the class `Axios` itself: the constructor of a subclass has its own parameters, or attaches tokens. */
function classOf(instance: object): AxiosClass {
  let prototype: object = instance;
  for (let next: unknown = prototype; next && next !== Object.prototype; next = Object.getPrototypeOf(next)) {
    prototype = next;
  }
  return prototype.constructor as AxiosClass;
}

/** Creates an instance of the same copy of axios, without defaults and without interceptors. */
function createBare(instance: { readonly create?: () => Axios }): Axios {
  const bare = instance.create?.() ?? new (classOf(instance))({});
  for (const name of Object.keys(bare.defaults)) Reflect.deleteProperty(bare.defaults, name);
  for (const each of [bare.interceptors.request, bare.interceptors.response]) each.clear();
  return bare;
}
