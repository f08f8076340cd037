/**
 * Runs the store kit, with its cases of several processes, with a format that holds all of a session and with one that holds
 * only its access token. Others differ within a process, for which `store-contract-in-process.test.ts` has them all.
 */
import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { formatFixture } from "../support/file-keychain-store.ts";

describe.each(["a JSON object", "a bare token"])("keychainStore with %s", (format) => {
  describeTokenStore({ describe, it }, { create: () => formatFixture(format) });
});
