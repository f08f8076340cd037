/** Random JSON documents with a session in them, from a seed. */
import type { FormattedSession } from "@unexpired/core";
import { type JsonFields, type JsonPathStep, jsonFormat } from "../../src/index.ts";

/** A source of repeatable random choices (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** Returns an integer from 0 to `limit`, exclusive. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const CHARACTERS = [..."abcXYZ019-._~+/=", '"', "\\", "/", "$&", "\u2028", "é", "🔑", "\uD800", "\0", "\n", "{", "*/"];
const NAMES = ["__proto__", "constructor", "a.b", "", "id", "tokens", "é", 'q"', "length", "0"];

/** Returns a session with whole seconds and all members. */
export function randomSession(random: Random): FormattedSession {
  const text = () => Array.from({ length: 1 + random.below(12) }, () => random.pick(CHARACTERS)).join("");
  const time = () => (1_000_000_000 + random.below(2_900_000_000)) * 1000;
  const obtainedAt = time();
  return {
    tokens: {
      accessToken: `a${text()}`,
      refreshToken: `r${text()}`,
      idToken: `i${text()}`,
      scope: Array.from({ length: 2 + random.below(3) }, () => `s${random.below(99)}`).join(" "),
      expiresAt: random.chance(50) ? time() : obtainedAt + random.below(86_400) * 1000,
      tokenType: "Bearer",
      extra: {},
    },
    obtainedAt,
    account: random.chance(50) ? text() : String(random.below(1e9)),
  };
}

/** A part of a document: text, or a value that depends on the session. */
type Part = string | ((session: FormattedSession) => string);
/** A tree of values: text, an object or an array. */
type Tree = Part | { readonly properties: (readonly [name: string, value: Tree])[] } | { readonly items: Tree[] };

/** Returns random white space and comments. */
function trivia(random: Random): string {
  if (random.chance(60)) return random.pick(["", "", " "]);
  return random.pick(["  ", "\n", "\r\n", "\t", "\n    ", "/* c, } */", " // d ] \n", "\r\n/* e\n{ */ "]);
}

function render(random: Random, tree: Tree, inner: (random: Random) => string): Part[] {
  if (typeof tree !== "object") return [tree];
  const [open, close] = "items" in tree ? "[]" : "{}";
  const children =
    "items" in tree
      ? tree.items.map((item) => render(random, item, inner))
      : tree.properties.map(([name, value]) => [
          JSON.stringify(name),
          inner(random),
          ":",
          inner(random),
          ...render(random, value, inner),
        ]);
  const parts = children.flatMap((child, index) => [
    ...(index === 0 ? [] : [","]),
    trivia(random),
    ...child,
    trivia(random),
  ]);
  const comma = children.length > 0 && random.chance(20) ? "," : "";
  return [open as string, ...parts, comma, trivia(random), close as string];
}

function filler(random: Random, depth = 2): Tree {
  const kind = depth === 0 ? 0 : random.below(4);
  if (kind === 1) return { items: Array.from({ length: random.below(3) }, () => filler(random, depth - 1)) };
  if (kind === 2) {
    const names = Array.from({ length: random.below(3) }, () => random.pick(NAMES));
    return { properties: names.map((name) => [name, filler(random, depth - 1)] as const) };
  }
  return random.pick(["null", "true", "-1.5e3", '"text"', '"\\ud83d"', '"// no comment"', "12345678901234567890"]);
}

/** A member of a session: its field, and its JSON value in the document. */
interface Member {
  readonly name: keyof JsonFields;
  readonly unit?: string;
  readonly value: Part;
}

const quoted = (text: string | undefined): string => JSON.stringify(text);
const ownTime = (random: Random, name: "expiresAt" | "obtainedAt"): Member => {
  const timeOf = ({ tokens, obtainedAt }: FormattedSession) =>
    name === "obtainedAt" ? obtainedAt : Number(tokens.expiresAt);
  const iso = (session: FormattedSession) => new Date(timeOf(session)).toISOString();
  return random.pick<Member>([
    { name, unit: "ms", value: (session) => String(timeOf(session)) },
    { name, unit: "ms", value: (session) => quoted(String(timeOf(session))) },
    { name, unit: "s", value: (session) => String(timeOf(session) / 1000) },
    { name, unit: "s", value: (session) => quoted(String(timeOf(session) / 1000)) },
    { name, unit: "iso", value: (session) => quoted(iso(session)) },
    { name, unit: "iso", value: (session) => quoted(iso(session).replace(".000Z", "+00:00")) },
    { name, unit: "iso", value: (session) => quoted(iso(session).replace("T", " ").replace("000Z", "000000")) },
  ]);
};

function members(random: Random): readonly Member[] {
  const words = ({ tokens }: FormattedSession) => `[${tokens.scope?.split(" ").map(quoted).join(", ")}]`;
  const obtainedAt = ownTime(random, "obtainedAt");
  const lifetime = ({ tokens, obtainedAt }: FormattedSession) => String((Number(tokens.expiresAt) - obtainedAt) / 1000);
  return [
    { name: "accessToken", value: ({ tokens }) => quoted(tokens.accessToken) },
    { name: "refreshToken", value: ({ tokens }) => quoted(tokens.refreshToken) },
    random.chance(30) ? { name: "expiresAt", unit: "lifetime", value: lifetime } : ownTime(random, "expiresAt"),
    random.chance(50)
      ? { name: "scope", unit: random.pick(["string", "array"]), value: ({ tokens }) => quoted(tokens.scope) }
      : { name: "scope", unit: random.pick(["string", "array"]), value: words },
    { name: "idToken", value: ({ tokens }) => quoted(tokens.idToken) },
    { name: "account", value: ({ account }) => quoted(account) },
    obtainedAt,
  ];
}

/** Shuffles a list in place. */
function shuffle<T>(random: Random, list: T[]): T[] {
  for (let index = list.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [list[index], list[other]] = [list[other] as T, list[index] as T];
  }
  return list;
}

/** Puts properties among others, some of which have the same names but come earlier, so that they do not count. */
function surround(random: Random, properties: readonly (readonly [string, Tree])[]): Tree {
  const taken = new Set(properties.map(([name]) => name));
  const others = NAMES.filter((name) => !taken.has(name) && random.chance(25)).map(
    (name) => [name, filler(random)] as const,
  );
  const shadowed = [...taken]
    .filter(() => random.chance(8))
    .map((name) => [name, random.pick(['"old"', "1", "true"])] as const);
  return { properties: [...shadowed, ...shuffle(random, [...properties, ...others])] };
}

const spaces = (random: Random): string => random.pick(["", " ", "\n  "]);

/**
 * Returns a format, a document in it for each session, and the format of another entry. Inside a property there are
 * comments if `hasInnerComments` is set: those disappear together with the property.
 */
export function randomDocument(random: Random, { hasInnerComments = false } = {}) {
  const id = random.pick(["34ee18", 7, true, 'a"b']);
  const steps = Array.from({ length: random.below(4) }, () =>
    random.chance(35) ? { where: { key: id } } : random.pick(NAMES),
  ) as JsonPathStep[];
  const at = steps.filter((step, index) => typeof step === "string" || typeof steps[index - 1] !== "object");
  const own = members(random);
  const inner = random.chance(30) ? [random.pick(["inner", "__proto__"])] : [];
  const names = new Map(own.map(({ name }) => [name, `${name}${random.below(3)}`]));
  const fields = Object.fromEntries(
    own.map(({ name, unit }) => [name, { path: [...inner, names.get(name) ?? ""], ...(unit && { unit }) }]),
  ) as unknown as JsonFields;
  const values = own.map(({ name, value }) => [names.get(name) ?? "", value as Tree] as const);
  let tree = surround(random, values);
  for (const step of inner) tree = surround(random, [[step, tree]]);
  for (const step of at.toReversed()) tree = wrap(random, step, tree);
  const bom = random.chance(20) ? "\uFEFF" : "";
  const parts = [bom, trivia(random), ...render(random, tree, hasInnerComments ? trivia : spaces), trivia(random)];
  const textFor = (session: FormattedSession) =>
    parts.map((part) => (typeof part === "string" ? part : part(session))).join("");
  const last = at.at(-1);
  const sibling = typeof last === "object" ? { where: { key: "sibling" } } : "sibling";
  return {
    format: jsonFormat({ at, fields }),
    textFor,
    sibling: jsonFormat({ at: [...at.slice(0, -1), sibling], fields }),
  };
}

function wrap(random: Random, step: JsonPathStep, tree: Tree): Tree {
  if (typeof step === "string") return surround(random, [[step, tree]]);
  const selected = Object.entries(step.where).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const entry = {
    properties: [...selected, ...(typeof tree === "object" && "properties" in tree ? tree.properties : [])],
  };
  const siblings = Array.from({ length: random.below(3) }, () => filler(random));
  return { items: shuffle(random, [entry, ...siblings]) };
}
