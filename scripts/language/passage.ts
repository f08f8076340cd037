/** A piece of the English in a file. */

export type Kind = "prose" | "comment" | "doc" | "boolean doc" | "test name" | "message";

/** A piece of English. Code within it is blanked, so that offsets still lead to the file's lines. */
export interface Passage {
  readonly kind: Kind;
  /** The offset of `text` in the file. */
  readonly start: number;
  readonly text: string;
}

/** Spaces in place of `text`, with its line breaks. */
export const blank = (text: string) => text.replace(/[^\n]/g, " ");

/** Blanks inline code, addresses and HTML comments. */
export const withoutCode = (text: string): string =>
  text.replace(/(`+)(?!`)(?:(?!\n\s*\n)[\s\S])*?(?<!`)\1(?!`)|https?:\/\/[^\s)}>\]]+|<!--[\s\S]*?-->/g, blank);
