export { type AttachOptions, attachTokens } from "./attach-tokens.ts";
