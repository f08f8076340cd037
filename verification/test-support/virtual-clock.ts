/** The kit's clock. Tests of `core` cannot depend on the kit, which depends on `core`. */
export { settle, VirtualClock } from "../../packages/testing/src/virtual-clock.ts";
