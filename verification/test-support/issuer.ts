/** The kit's authorization server. Tests of `core` cannot depend on the kit, which depends on `core`. */
export { startIssuer } from "../../packages/testing/src/issuer.ts";
