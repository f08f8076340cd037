export { perRequest } from "./per-request.ts";
export { type TokenExtension, type TokenOptions, withTokens } from "./with-tokens.ts";
