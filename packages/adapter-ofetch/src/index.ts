export { perRequest } from "./per-request.ts";
export { type FetchOptionsWithTokens, type TokenFetchOptions, withTokens } from "./with-tokens.ts";
