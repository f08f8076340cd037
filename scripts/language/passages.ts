/** Finds the English in a file: prose, comments, test names and messages. */
import { blank, type Passage, withoutCode } from "./passage.ts";
import { typescriptPassages } from "./typescript.ts";

const FENCE = /^( *)(```+|~~~+)([\w-]*)[^\n]*\n([\s\S]*?)^\1\2[^\n]*$/gm;

const byLanguage: Readonly<Record<string, (code: string) => Passage[]>> = {
  ts: (code) => typescriptPassages(code),
  js: (code) => typescriptPassages(code),
  sh: hashPassages,
  yaml: hashPassages,
  mermaid: (code) => [{ kind: "prose", start: 0, text: code }],
};

/** The prose of Markdown, and the comments in its code. */
function markdownPassages(markdown: string): Passage[] {
  const inCode: Passage[] = [];
  const prose = markdown.replace(FENCE, (...match) => {
    const [whole, , , language, code, offset] = match as unknown as [string, string, string, string, string, number];
    const start = offset + whole.indexOf("\n") + 1;
    const passages = byLanguage[language]?.(code) ?? [];
    inCode.push(...passages.map((passage) => ({ ...passage, start: start + passage.start })));
    return blank(whole);
  });
  // The target of a link is no prose.
  const text = withoutCode(prose).replace(/(?<=\])\([^)\n]*\)|^\[[^\]]+\]:.*$/gm, blank);
  return [{ kind: "prose", start: 0, text }, ...inCode];
}

/** The comments of YAML and of shell scripts; consecutive lines are one passage. */
function hashPassages(code: string): Passage[] {
  const comments = code.matchAll(/(?<=^|\s)#(?!!)[^\n]*(?:\n[ \t]*#[^\n]*)*/g);
  return [...comments].map(({ 0: comment, index }) => ({
    kind: "comment",
    start: index,
    text: withoutCode(comment.replace(/^(\s*)#+/gm, (leader) => blank(leader))),
  }));
}

const EXCLUDED = /(^|\/)(CHANGELOG\.md|LICENSE|pnpm-lock\.yaml)$|^docs\/contributing\/language\.md$/;

/** Programs and libraries, as opposed to their tests: files that users run, or read as an example. */
const PROGRAM = /^(packages\/[^/]+\/src|examples)\/(?!.*\.test\.ts$)/;

/** The English of a file; nothing for kinds of files that hold none, such as JSON. */
export function passagesOf(file: string, text: string): Passage[] {
  if (EXCLUDED.test(file)) return [];
  if (file.endsWith(".md")) return markdownPassages(text);
  if (/\.[mc]?[tj]s$/.test(file)) return typescriptPassages(text, PROGRAM.test(file));
  if (/\.(ya?ml|sh)$|^\.ci\//.test(file)) return hashPassages(text);
  return [];
}
