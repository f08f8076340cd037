import { describe, expect, it } from "vitest";
import { checkFile, problemsOf, tableOf } from "./check-language.ts";

const tellsOf = (file: string, text: string) => checkFile(file, text).tells;

/** One sentence per tell, as it may stand in any passage. */
const samples = {
  somebody: "Somebody reads it.",
  nobody: "A token that nobody uses.",
  whoever: "It is for whoever waits.",
  "all the same": "It is kept all the same.",
  "by turns": "They write by turns.",
  "of ours": "An error of ours.",
  meanwhile: "Another was saved meanwhile.",
  "say so": "It has ended; the reason says so.",
  "decide anew": "Load it and decide anew.",
  "is none": "An origin that is none.",
  "it does not print": "In a log it does not print.",
  mend: "Run it to mend the file.",
  answer: "The server answered with 401.",
  "else for otherwise": "It is used while valid, else refreshed.",
};

describe.each(Object.entries(samples))("%s", (tell, sample) => {
  it.each([
    ["prose", "README.md", `# Title\n\n${sample}\n`],
    ["a mermaid diagram", "README.md", `\`\`\`mermaid\n${sample}\n\`\`\`\n`],
    ["a comment in Markdown's code", "README.md", `\`\`\`ts\nf(); // ${sample}\n\`\`\`\n`],
    ["a line comment", "a.ts", `f(); // ${sample}\n`],
    ["a doc comment", "a.mts", `/** ${sample} */\nexport const a = 1;\n`],
    ["a test name", "a.test.ts", `it.skip("${sample}", () => {});\n`],
    ["a row of tests", "a.test.ts", `test.each([["${sample}", 1]])("%s", () => {});\n`],
    ["the name of another kind of test", "a.test.ts", `schedule(\`\${a}: ${sample}\`, {}, async () => {});\n`],
    [
      "any sentence of a package",
      "packages/core/src/a.ts",
      `super(\`\${a} b. ${sample}\`);\nconst b = "It. ${sample}";\n`,
    ],
    ["a case of a kit", "a.ts", `export const a = { name: "${sample}", run };\n`],
    ["an error", "a.ts", `throw new StoreError("A", { problem: \`\${b} \${c}. ${sample}\` });\n`],
    ["a hint", "a.ts", `const details = { hint: ok ? "" : "${sample}" };\n`],
    ["YAML", "a.yml", `a: 1 # ${sample}\n`],
    ["a shell script", ".ci/run", `# ${sample}\n`],
    ["a changeset", ".changeset/a.md", sample],
  ])("is found in %s", (_, file, text) => {
    expect(new Set(tellsOf(file, text))).toEqual(new Set([tell]));
  });

  it("is found across the lines of a comment", () => {
    const lines = sample.replaceAll(" ", "\n * ");
    expect(tellsOf("a.ts", `/**\n * ${lines}\n */\nf();\n`)).toEqual([tell]);
    expect(tellsOf("a.ts", `// ${sample.replaceAll(" ", "\n// ")}\nf();\n`)).toEqual([tell]);
  });

  it.each([
    ["inline code", "README.md", `Returns \`${sample}\`.`],
    ["a code block", "README.md", `\`\`\`text\n${sample}\n\`\`\`\n`],
    ["a string", "a.ts", `const a = "// ${sample}";\nconst b = \`/* \${c} ${sample} */\`;\n`],
    ["a string in Markdown's code", "README.md", `\`\`\`ts\nf("// ${sample}");\n\`\`\`\n`],
    ["a regular expression", "a.ts", `const a = /[/*] ${sample}/;\n`],
    ["inline code of a comment", "a.ts", `// \`${sample}\`\n`],
    ["a template's expression", "a.ts", `throw new TypeError(\`a \${f("${sample}")}\`);\n`],
    ["a YAML value", "a.yml", `a: ${sample}\n`],
    ["JSON", "a.json", JSON.stringify({ message: sample })],
    ["the page that lists the tells", "docs/contributing/language.md", sample],
    ["a changelog", "packages/core/CHANGELOG.md", sample],
  ])("is ignored in %s", (_, file, text) => {
    expect(tellsOf(file, text)).toEqual([]);
  });
});

describe("doc comments", () => {
  it.each([
    ["What …", "/** What it got. */\nexport const a = 1;"],
    ["What …", "interface A {\n  /**\n   * What it got.\n   */\n  readonly a: string;\n}"],
    ["What …", "/** What every file has in common. */\nimport a from 'a';"],
    ["Whether …", "/** Whether it works. */\nexport function find(): string {}"],
    ["Whether …", "type A = {\n  /** Whether to write. */\n  mode: string;\n}"],
  ])("cannot begin with %s", (tell, text) => {
    expect(tellsOf("a.ts", text)).toEqual([tell]);
  });

  it.each([
    "/** Whether it works. */\nexport const isReady = () => 1;",
    "/** Whether it works. */\nexport const works = (): boolean => true;",
    "/** Whether it works. */\nexport async function works(): Promise<boolean> {}",
    "class A {\n  /** Whether it works. */\n  get works(): boolean {}\n  /** Whether it works. */\n  #shouldWork() {}\n}",
    "interface A {\n  /** Whether it works. */\n  readonly works?: boolean | undefined;\n}",
    "/** Whether it works. */\nfunction works(a: unknown): a is B {}",
    "// What this does is subtle.\nf();",
    "/** Returns what it got, and tells whether that was enough. */\nexport const a = 1;",
  ])("may be %j", (text) => {
    expect(tellsOf("a.ts", text)).toEqual([]);
  });
});

describe("good prose", () => {
  it.each([
    "One process refreshes; the other nine pick up its tokens.",
    "A claim of another process is taken over, or else the lease expires. Something else follows.",
    "The same for all turns: say what happened, print it, and recommend a fix. None is needed.",
    "- if the store is unreadable, retry\n- otherwise reject\n\n| a | b |\n| - | - |\n",
  ])("passes: %s", (text) => {
    expect(problemsOf([checkFile("README.md", text)], true)).toEqual([]);
  });
});

describe("the report", () => {
  const text = "# Title\n\nIt is kept, and\nnobody `reads` it.\n";

  it("names the file, the line, the tell and its line", () => {
    const [first, second] = problemsOf([checkFile("docs/a.md", text)], false);
    expect(first).toBe("docs/a.md:4: nobody: nobody `reads` it.");
    expect(second).toContain("nobody (1): name the party");
  });

  it("leads to the line of a comment", () => {
    const report = checkFile("a.ts", 'const a = "x";\n/**\n * A token\n * that nobody reads.\n */\n').problems;
    expect(report).toEqual(["a.ts:4: nobody: * that nobody reads."]);
  });

  it('counts "where" in comments and docs, and fails above 2 per 1,000 words', () => {
    const words = (count: number) => "word ".repeat(count);
    const file = (where: number) => checkFile("a/b.md", `${"where ".repeat(where)}${words(1_000 - where)}`);
    expect(problemsOf([file(2)], true)).toEqual([]);
    expect(problemsOf([file(3)], false)).toEqual([expect.stringContaining('"where" (3 in 1000 words')]);
    expect(problemsOf([file(3)], true)).toHaveLength(4);
    expect(checkFile("a.test.ts", 'it("goes where `where` leads", run);').where).toEqual([]);
  });

  it("has one row per area", () => {
    const files = ["README.md", "docs/a.md", "packages/core/README.md", "packages/core/src/a.ts", "scripts/a.ts"];
    const rows = tableOf(files.map((file) => checkFile(file, "// where nobody reads\n"))).split("\n");
    const cells = rows.map((row) => row.split(/ {2,}/));
    expect(cells).toEqual([
      ["area", "words", '"where" per 1,000', "tells"],
      ["(root)", "3", "333.3", "1"],
      ["docs", "3", "333.3", "1"],
      ["packages/core", "6", "333.3", "2"],
      ["scripts", "3", "333.3", "1"],
      ["all", "15", "333.3", "5"],
    ]);
  });
});
