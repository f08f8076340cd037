import { describe, expect, it } from "vitest";
import { anchorsOf, linkProblems, linksOf } from "./links.ts";

const index = "# Index\n\n[a](a.md)\n";
const problems = (pages: Readonly<Record<string, string>>, files: readonly string[] = []) =>
  linkProblems({ files: [...files, ...Object.keys(pages)], pages: new Map(Object.entries(pages)) });
const fromA = (link: string) => problems({ "docs/README.md": index, "docs/a.md": link }, ["packages/core/src/a.ts"]);

describe("a broken link", () => {
  it.each([
    ["to a missing file", "[x](gone.md)", "docs/a.md:1: the link to gone.md is broken: there is no docs/gone.md"],
    ["to a missing folder", "[x](../packages/gone)", "there is no packages/gone"],
    ["with a title", '[x](gone.md "title")', "there is no docs/gone.md"],
    ["by reference", "[x][1]\n\n[1]: gone.md", "docs/a.md:3: the link to gone.md"],
    ["in HTML", '<img src="gone.svg">', "there is no docs/gone.svg"],
    ["to a missing heading", "# Title\n[x](#gone)", "docs/a.md has no heading #gone"],
    ["to a heading of another page", "[x](README.md#gone)", "docs/README.md has no heading #gone"],
    ["out of the repository", "[x](../../a.md)", "there is no ../a.md in this repository"],
    ["to our own page on GitHub", "[x](https://github.com/unexpired/unexpired/blob/main/docs/gone.md)", "docs/gone.md"],
    ["beside a good one", "[x](README.md) and [y](gone.md)", "there is no docs/gone.md"],
  ])("%s is reported", (_, link, problem) => {
    expect(fromA(link)).toEqual([expect.stringContaining(problem)]);
  });
});

describe("a good link", () => {
  it.each([
    ["to a page", "[x](README.md)"],
    ["to a heading", "[x](README.md#index)"],
    ["to a heading of the same page", "# One `two`: three_4\n[x](#one-two-three_4)"],
    ["to a repeated heading", "# A\n# A\n[x](#a-1)"],
    ["to an explicit id", '<a id="here"></a>\n[x](#here)'],
    ["to a folder", "[x](../packages/core)"],
    ["to a folder with a slash", "[x](../packages/core/src/)"],
    ["to the README of a folder on GitHub", "[x](https://github.com/unexpired/unexpired/tree/main/docs#readme)"],
    ["to a line of a source", "[x](../packages/core/src/a.ts#L3)"],
    ["from the root", "[x](/docs/README.md)"],
    ["to our own page on GitHub", "[x](https://github.com/unexpired/unexpired/tree/main/docs#index)"],
    ["to another site", "[x](https://example.com/gone.md) [y](mailto:a@example.com)"],
    ["in inline code", "`[x](gone.md)`"],
    ["in a code block", "```md\n[x](gone.md)\n```"],
  ])("%s passes", (_, link) => {
    expect(fromA(link)).toEqual([]);
  });
});

describe("a path in inline code", () => {
  it.each(["`packages/core/src/gone.ts`", "`packages/gone/`", "see `scripts/a.ts`, `docs/a.md`"])(
    "is reported if it does not exist: %s",
    (text) => {
      expect(fromA(text)).toEqual([expect.stringMatching(/^docs\/a\.md:1: \S+ does not exist$/)]);
    },
  );

  it.each([
    "`packages/core/src/a.ts`",
    "`packages/core/src/`",
    "`packages/*/gone`",
    "`packages/store-<name>`",
    "`src/b.ts`",
  ])("passes: %s", (text) => {
    expect(fromA(text)).toEqual([]);
  });
});

it("reports a page that the index does not list", () => {
  expect(problems({ "docs/README.md": index, "docs/a.md": "", "docs/decisions/b.md": "", "c.md": "" })).toEqual([
    "docs/decisions/b.md is not listed in docs/README.md; add a row for it",
  ]);
});

it("takes a heading inside code for no heading", () => {
  expect([...anchorsOf("# A\n\n~~~sh\n# B\n~~~\n\n## [C](c.md) & D?")]).toEqual(["a", "c--d"]);
});

it("finds the line of a link", () => {
  expect(linksOf("a\n\n[b](c)")).toEqual([{ line: 3, target: "c" }]);
});
