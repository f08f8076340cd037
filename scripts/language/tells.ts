/** The turns of phrase that docs/contributing/language.md rules out. */
import type { Kind, Passage } from "./passage.ts";

interface Tell {
  readonly pattern: RegExp;
  /** The kinds of passages that it is looked for in; all if absent. */
  readonly kinds?: readonly Kind[];
  readonly instead: string;
}

/** Any white space between words: a phrase may run over the end of a line. */
const phrase = (words: string) => new RegExp(`\\b${words.replaceAll(" ", "\\s+")}\\b`, "gi");

const TELLS: Readonly<Record<string, Tell>> = {
  somebody: { pattern: phrase("somebody"), instead: 'name the party: "another process", "the caller"' },
  nobody: { pattern: phrase("nobody"), instead: 'name the party: "no process", "no caller"' },
  whoever: { pattern: phrase("whoever"), instead: 'name the party: "the process that …"' },
  "all the same": { pattern: phrase("all the same"), instead: '"still", "anyway", "identical"' },
  "by turns": { pattern: phrase("by turns"), instead: '"alternately", "in turn"' },
  "of ours": { pattern: phrase("of ours"), instead: '"our …", or the name of the thing' },
  meanwhile: { pattern: phrase("meanwhile"), instead: '"concurrently", "in the meantime", "while …"' },
  "say so": {
    pattern: phrase("(?:sa(?:y|ys|id|ying) (?:so|no more))"),
    instead: 'the act: "if … is set", "reports it"',
  },
  "decide anew": { pattern: phrase("decid(?:e|es|ed|ing) anew"), instead: '"retry", "reload and decide again"' },
  "is none": { pattern: phrase("is none"), instead: '"is not a …", "there is no …", "does not exist"' },
  "it does not print": { pattern: phrase("it does not print"), instead: '"hides … from util.inspect"' },
  mend: { pattern: phrase("mend(?:s|ed|ing)?"), instead: '"fix"' },
  answer: { pattern: phrase("answer(?:s|ed|ing)?"), instead: '"response", "respond", "return", "reply"' },
  "else for otherwise": {
    pattern: /(?<=(?:^|[.;:,!?(|]|^\s*[-*]|\n\s*\n)\s*)else\b/gi,
    instead: '"otherwise", "or"',
  },
  "What …": {
    pattern: /^\s*What\b/g,
    kinds: ["doc", "boolean doc"],
    instead: "begin with a verb or a noun phrase",
  },
  "Whether …": {
    pattern: /^\s*Whether\b/g,
    kinds: ["doc"],
    instead: "for booleans only; otherwise begin with a verb or a noun",
  },
};

export interface Finding {
  readonly tell: string;
  /** The offset in the file. */
  readonly offset: number;
}

/** The tells in a passage. */
export const tellsIn = ({ kind, start, text }: Passage): Finding[] =>
  Object.entries(TELLS)
    .filter(([, { kinds }]) => kinds?.includes(kind) ?? true)
    .flatMap(([tell, { pattern }]) =>
      [...text.matchAll(pattern)].map(({ 0: match, index }) => ({
        tell,
        offset: start + index + match.length - match.trimStart().length,
      })),
    );

/** The remedy for a tell. */
export const insteadOf = (tell: string): string => TELLS[tell]?.instead ?? "";
