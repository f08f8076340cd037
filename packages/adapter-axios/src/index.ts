export { type Attachable, type AttachOptions, attachTokens } from "./attach-tokens.ts";
export { perRequest } from "./per-request.ts";
