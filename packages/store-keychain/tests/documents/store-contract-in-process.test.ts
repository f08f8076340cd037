/** Runs the store kit with each format, without its cases of several processes, which `store-contract.test.ts` has. */
import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { FORMATS } from "../../../testing/tests/document-formats.ts";
import { formatFixture } from "../support/file-keychain-store.ts";

describe.concurrent.each(Object.keys(FORMATS))("keychainStore with %s, in one process", (format) => {
  const create = async () => ({ ...(await formatFixture(format)), childProcess: undefined });
  describeTokenStore({ describe, it }, { create });
});
