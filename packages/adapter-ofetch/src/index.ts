export { type TokenFetchOptions, withTokens } from "./with-tokens.ts";
