/** The laws of a session format on random documents. A failure names its seed. */
import type { FormattedSession, ParsedSession } from "@unexpired/core";
import { visit } from "jsonc-parser";
import { expect, it } from "vitest";
import { jsonFormat } from "../../src/index.ts";
import { Random, randomDocument, randomSession } from "./random-document.ts";
import { asFound } from "./support.ts";

const SEEDS = Array.from({ length: 20 }, (_, index) => index);
const DOCUMENTS = 20; // for each seed

/** Returns what a format finds of a session that it has printed. */
const statedBy = ({ tokens, obtainedAt, account }: FormattedSession): ParsedSession => {
  const { accessToken, refreshToken, expiresAt, scope, idToken } = tokens;
  return {
    tokens: { accessToken, refreshToken, expiresAt, scope, idToken } as ParsedSession["tokens"],
    obtainedAt,
    account,
  };
};

/** Returns whether `text` can be made into `part` by removing characters only. */
function contains(text: string, part: string): boolean {
  let index = 0;
  for (let position = 0; position < text.length && index < part.length; position++) {
    if (text[position] === part[index]) index++;
  }
  return index === part.length;
}

function commentsOf(text: string): string[] {
  const comments: string[] = [];
  const onComment = (offset: number, length: number) => void comments.push(text.slice(offset, offset + length));
  visit(text.replace(/^\uFEFF/, " "), { onComment });
  return comments;
}

/** Removes some members of a session. */
function reduce(random: Random, session: FormattedSession): FormattedSession {
  const { refreshToken, expiresAt, scope, idToken, ...tokens } = session.tokens;
  const some = Object.entries({ refreshToken, expiresAt, scope, idToken }).filter(() => random.chance(50));
  const { account, obtainedAt } = session;
  return { tokens: { ...tokens, ...Object.fromEntries(some) }, obtainedAt, ...(random.chance(50) && { account }) };
}

const forEachDocument = (
  seed: number,
  check: (random: Random, document: ReturnType<typeof randomDocument>) => void,
  hasInnerComments = false,
): void => {
  for (let index = 0; index < DOCUMENTS; index++) {
    const own = seed * DOCUMENTS + index;
    const random = new Random(own);
    try {
      check(random, randomDocument(random, { hasInnerComments }));
    } catch (error) {
      (error as Error).message = `seed ${own}: ${(error as Error).message}`;
      throw error;
    }
  }
};

it.each(SEEDS)("changes nothing but its own values (seeds of %i)", (seed) => {
  forEachDocument(
    seed,
    (random, { format, textFor }) => {
      const [first, second] = [randomSession(random), randomSession(random)];
      const text = textFor(first);
      const parsed = format.parse(text);
      expect(parsed).toEqual(statedBy(first));
      expect(format.print(asFound(parsed), text)).toBe(text);
      expect(format.print(first, text)).toBe(text);
      expect(format.print(second, text)).toBe(textFor(second));
    },
    true,
  );
});

it.each(SEEDS)("removes members that are unknown, and restores them (seeds of %i)", (seed) => {
  forEachDocument(seed, (random, { format, textFor }) => {
    const first = randomSession(random);
    const text = textFor(first);
    const fewer = reduce(random, first);
    const printed = format.print(fewer, text) ?? "";
    expect(format.parse(printed)).toEqual(statedBy(fewer));
    expect(commentsOf(printed)).toEqual(commentsOf(text));
    expect(contains(text, printed)).toBe(true);
    const restored = format.print(first, printed) ?? "";
    expect(format.parse(restored)).toEqual(statedBy(first));
    expect(commentsOf(restored)).toEqual(commentsOf(text));
    expect(contains(restored, printed.replaceAll(/\s/g, ""))).toBe(true);
  });
});

it.each(SEEDS)("signs out, and in again, beside everything else (seeds of %i)", (seed) => {
  forEachDocument(seed, (random, { format, textFor }) => {
    const [first, second] = [randomSession(random), randomSession(random)];
    const text = textFor(first);
    const empty = format.print(undefined, text) ?? "";
    expect(format.parse(empty)).toBeUndefined();
    expect(contains(text, empty)).toBe(true);
    expect(commentsOf(empty)).toEqual(commentsOf(text));
    expect(format.print(undefined, empty)).toBe(empty);
    const { accessToken, refreshToken = "" } = first.tokens;
    for (const token of [accessToken, refreshToken]) expect(empty).not.toContain(JSON.stringify(token));
    const printed = format.print(second, empty) ?? "";
    expect(format.parse(printed)).toEqual(statedBy(second));
    expect(commentsOf(printed)).toEqual(commentsOf(text));
    expect(format.parse(format.print(first, undefined) ?? "")).toEqual(statedBy(first));
  });
});

it.each(SEEDS)("takes another session into the same document (seeds of %i)", (seed) => {
  forEachDocument(seed, (random, { format, textFor, sibling }) => {
    const [first, second] = [randomSession(random), randomSession(random)];
    const text = textFor(first);
    expect(sibling.key).not.toBe(format.key);
    expect(sibling.parse(text)).toBeUndefined();
    const printed = sibling.print(second, text) ?? "";
    expect(sibling.parse(printed)).toEqual(statedBy(second));
    expect(format.parse(printed)).toEqual(statedBy(first));
    expect(contains(printed, text)).toBe(true);
    expect(commentsOf(printed)).toEqual(commentsOf(text));
    const next = format.print(second, printed) ?? "";
    expect(sibling.parse(next)).toEqual(statedBy(second));
    expect(sibling.parse(format.print(undefined, next) ?? "")).toEqual(statedBy(second));
  });
});

it.each(SEEDS)("reads exactly the texts that JSON.parse reads, if there are no comments (seeds of %i)", (seed) => {
  const format = jsonFormat({ fields: { accessToken: "token" } });
  const source = '{"token":"a\\u00e9\\n","list":[1,-2.5e3,true,null,{}],"x":{"y":""}}';
  const random = new Random(seed);
  for (let index = 0; index < 500; index++) {
    const position = random.below(source.length);
    const change = random.pick([
      '"',
      "\\",
      "{",
      "}",
      "]",
      ",",
      ":",
      "0",
      "e",
      "\t",
      "\n",
      "nul",
      "\u2028",
      "\uFFFF",
      "",
    ]);
    const text = source.slice(0, position) + change + source.slice(position + random.below(3));
    expect([text, tokenIn(() => format.parse(text)?.tokens.accessToken)]).toEqual([text, tokenIn(() => byJson(text))]);
  }
});

/** Returns the result, or "unreadable" if that throws. */
function tokenIn(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch {
    return "unreadable";
  }
}

function byJson(text: string): string | undefined {
  const { token } = JSON.parse(text.replace(/(?<=[\w"\]}]\s*),(?=\s*[\]}])/g, "")) ?? {};
  if (token !== undefined && typeof token !== "string") throw new TypeError("token");
  return token || undefined;
}
