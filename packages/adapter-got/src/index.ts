export { type TokenOptions, withTokens } from "./with-tokens.ts";
