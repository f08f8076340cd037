import { describe, expect, it } from "vitest";
import { drawGraph, importsOf, type LayeredPackage, layerProblems } from "./layers.ts";

const layered: LayeredPackage = {
  package: "example",
  layers: [["index"], ["manager"], ["record", "http"], ["util"], ["absent"], ["types"]],
};
const good = {
  "index.ts": 'export { run } from "./manager/run.ts";\nexport type { Options } from "./types.ts";',
  "manager/run.ts": 'import { load } from "../record/load.ts";\nimport { stop } from "./stop.ts";',
  "manager/stop.ts": 'import { readFile } from "node:fs";',
  "record/load.ts": 'import { now } from "../util/clock.ts";',
  "http/send.ts": "",
  "util/clock.ts": 'import type { Clock } from "../types.ts";',
  "types.ts": "",
};

function graphOf(sources: Readonly<Record<string, string>>, rules = layered) {
  const imports = importsOf("example", new Map(Object.entries(sources)));
  const files = Object.keys(sources);
  return { problems: layerProblems(rules, files, imports), drawing: drawGraph(rules, files, imports) };
}

describe("the layers of a package", () => {
  it("allows imports that go down", () => {
    expect(graphOf(good).problems).toEqual([]);
  });

  it.each([
    {
      direction: "up",
      file: "record/load.ts",
      text: 'import "../manager/run.ts";',
      expected: "record is not above manager",
    },
    {
      direction: "across",
      file: "http/send.ts",
      text: 'import "../record/load.ts";',
      expected: "http is not above record",
    },
    {
      direction: "up for a type",
      file: "util/a.ts",
      text: 'import type { A } from "../http/a.ts";',
      expected: "util is not above http",
    },
    {
      direction: "up inside a type",
      file: "types.ts",
      text: 'type A = import("./http/a.ts").A;',
      expected: "types is not above http",
    },
    {
      direction: "up to export it",
      file: "types.ts",
      text: 'export { a } from "./util/a.ts";',
      expected: "types is not above util",
    },
    {
      direction: "up on demand",
      file: "util/a.ts",
      text: 'await import("../http/a.ts");',
      expected: "util is not above http",
    },
    {
      direction: "to the package's own name",
      file: "util/a.ts",
      text: 'import "@unexpired/example";',
      expected: "util is not above index",
    },
  ])("rejects an import that goes $direction", ({ file, text, expected }) => {
    const { problems } = graphOf({ ...good, [file]: text });
    expect(problems).toEqual([expect.stringMatching(`^${file} imports .*: ${expected}$`)]);
  });

  it("rejects a circle, at its upward import", () => {
    const { problems } = graphOf({ ...good, "util/clock.ts": 'import { run } from "../manager/run.ts";' });
    expect(problems).toEqual(["util/clock.ts imports manager/run.ts: util is not above manager"]);
  });

  it("requires every file to be in a layer", () => {
    const sources = { ...good, "misc/a.ts": "", "helper.ts": "" };
    expect(graphOf(sources).problems).toEqual([
      "misc/a.ts is in no layer: add it to scripts/layers.ts",
      "helper.ts is in no layer: add it to scripts/layers.ts",
    ]);
  });
});

it("draws the graph from top to bottom", () => {
  expect(graphOf(good).drawing.split("\n")).toEqual([
    "  index   → manager, types",
    "  manager → record",
    "  record  → util",
    "  http",
    "  util    → types",
    "  types",
  ]);
});
