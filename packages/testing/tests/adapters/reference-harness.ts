import type { AdapterHarness, ClientSetup } from "../../src/index.ts";
import { fetchHarness } from "./fetch-harness.ts";
import { ReferenceClient } from "./reference-client.ts";

/** Clients of that class. */
export const harnessFor = (Client: new (setup: ClientSetup) => ReferenceClient = ReferenceClient): AdapterHarness => ({
  ...fetchHarness,
  connect: (setup) => new Client(setup),
  hooks: ["request", "response"].flatMap((event) =>
    ["before", "after"].map((place) => `${event}, ${place} the adapter`),
  ),
  unsupported: {},
});
