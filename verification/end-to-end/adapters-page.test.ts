/** Checks that the table of bodies in docs/adapters.md agrees with the tests of the adapters. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { adapterCases } from "@unexpired/testing";
import {
  axiosHarness,
  fetchHarness,
  gotHarness,
  ofetchHarness,
} from "@unexpired-internal/test-support/adapter-harnesses";
import { expect, it } from "vitest";

const page = readFileSync(join(import.meta.dirname, "../../docs/adapters.md"), "utf8");
const [, section = ""] = page.split("\n## Bodies\n");

const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim().replaceAll("`", "")))
  .map(([, kind = "", ...cells]) => [kind, ...cells.slice(0, 4)]);

it("has a row for each kind of body, with each client's behavior", () => {
  const kinds = adapterCases.flatMap(({ sends }) => sends ?? []);
  const harnesses = [fetchHarness, axiosHarness, ofetchHarness, gotHarness];
  const words = { repeated: "yes", once: "no" };
  const expected = kinds.map((kind) => [
    kind,
    ...harnesses.map(({ bodies }) => {
      const outcome = bodies[kind];
      return outcome ? words[outcome] : "";
    }),
  ]);
  expect(rows).toEqual(expected);
});
