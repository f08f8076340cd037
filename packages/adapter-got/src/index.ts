export { perRequest } from "./per-request.ts";
export { type TokenOptions, withTokens } from "./with-tokens.ts";
