/** The harnesses with which the adapters' own tests run the conformance kit. */
export { harnessWith as axiosWith, httpHarness as axiosHarness } from "../../packages/adapter-axios/tests/harness.ts";
export { gotHarness, harnessWith as gotWith } from "../../packages/adapter-got/tests/harness.ts";
export { harnessWith as ofetchWith, ofetchHarness } from "../../packages/adapter-ofetch/tests/harness.ts";
export { fetchHarness } from "../../packages/testing/tests/adapters/fetch-harness.ts";
