import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { FORMATS } from "../../../testing/tests/document-formats.ts";
import { formatFixture } from "../support/file-keychain-store.ts";

describe.each(Object.keys(FORMATS))("keychainStore with %s", (format) => {
  describeTokenStore({ describe, it }, { create: () => formatFixture(format) });
});
