import type { TokenManager } from "@unexpired/core";
import type { ClientName } from "./messages.ts";

/** Makes one request to the API. */
export type Call = () => Promise<unknown>;

/** Makes one request to the API with this access token. */
export type CallWithToken = (accessToken: string) => Promise<unknown>;

/** Each client with its Unexpired adapter. A process loads only the client that it uses. */
export const attachedCall: Record<ClientName, (tokens: TokenManager, apiOrigin: string) => Promise<Call>> = {
  async axios(tokens, apiOrigin) {
    const { default: axios } = await import("axios");
    const { attachTokens } = await import("@unexpired/adapter-axios");
    const client = axios.create({ baseURL: apiOrigin });
    attachTokens(client, tokens);
    return () => client.get("/");
  },
  async ofetch(tokens, apiOrigin) {
    const { ofetch } = await import("ofetch");
    const { withTokens } = await import("@unexpired/adapter-ofetch");
    const client = ofetch.create(withTokens(tokens, { baseURL: apiOrigin }));
    return () => client("/");
  },
  async got(tokens, apiOrigin) {
    const { default: got } = await import("got");
    const { withTokens } = await import("@unexpired/adapter-got");
    const client = got.extend(withTokens(tokens, { origins: [apiOrigin] }));
    return () => client.get(apiOrigin).json();
  },
};

const bearer = (accessToken: string) => ({ headers: { authorization: `Bearer ${accessToken}` } });

/** Each client with a hand-written authorization header. */
export const callWithToken: Record<ClientName, (apiOrigin: string) => Promise<CallWithToken>> = {
  async axios(apiOrigin) {
    const { default: axios } = await import("axios");
    return (accessToken) => axios.get(apiOrigin, bearer(accessToken));
  },
  async ofetch(apiOrigin) {
    const { ofetch } = await import("ofetch");
    return (accessToken) => ofetch(apiOrigin, bearer(accessToken));
  },
  async got(apiOrigin) {
    const { default: got } = await import("got");
    return (accessToken) => got.get(apiOrigin, bearer(accessToken)).json();
  },
};

/** The HTTP status of a client's error; `undefined` if there was no response. */
export function statusOf(error: unknown): number | undefined {
  const { response } = error as { response?: { status?: number; statusCode?: number } };
  return response?.status ?? response?.statusCode;
}
