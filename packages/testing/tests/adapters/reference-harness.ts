import type { AdapterHarness, ClientSetup } from "../../src/index.ts";
import { fetchHarness } from "./fetch-harness.ts";
import { ReferenceClient } from "./reference-client.ts";

/** Returns a harness whose clients are instances of `Client`. */
export const harnessFor = (Client: new (setup: ClientSetup) => ReferenceClient = ReferenceClient): AdapterHarness => ({
  ...fetchHarness,
  connect: (setup) => new Client(setup),
  hooks: ["request", "response"].flatMap((event) =>
    ["before", "after"].map((position) => `${event}, ${position} the adapter`),
  ),
  unsupported: {},
});
