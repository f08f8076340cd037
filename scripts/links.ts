/** Finds links and paths in Markdown that lead nowhere. Pure, so that it can be tested: texts in, problems out. */
import { posix } from "node:path";

/** The files of a repository, by their paths relative to its root. */
export interface Repository {
  /** Every file. */
  readonly files: readonly string[];
  /** The texts of the Markdown files. */
  readonly pages: ReadonlyMap<string, string>;
}

/** A link, or a path in inline code. */
interface Reference {
  readonly line: number;
  readonly target: string;
}

/** Our own pages as absolute links, which a package's README needs on npm. */
const OWN = /^https:\/\/github\.com\/unexpired\/unexpired\/(?:blob|tree)\/main\//;
const EXTERNAL = /^(?:[a-z][a-z\d+.-]*:|\/\/)/i;

const LINKS = [
  /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)/g, // [text](target "title")
  /^\[[^\]]+\]:\s*<?([^\s>]+)>?/g, // [label]: target
  /<(?:a|img)\b[^>]*\b(?:href|src)="([^"]+)"/g,
];

/** The lines of a page, with code blanked out: it holds no links and no headings. */
function proseOf(text: string, withInlineCode: boolean): readonly string[] {
  let fence: string | undefined;
  return text.split("\n").map((line) => {
    const [, mark] = /^\s*(`{3,}|~{3,})/.exec(line) ?? [];
    if (fence !== undefined) {
      if (mark?.startsWith(fence)) fence = undefined;
      return "";
    }
    fence = mark;
    if (mark !== undefined) return "";
    return withInlineCode ? line : line.replace(/(`+)(?:(?!\1).)+\1/g, "");
  });
}

/** Every link of a page. */
export const linksOf = (text: string): readonly Reference[] =>
  proseOf(text, false).flatMap((line, index) =>
    LINKS.flatMap((pattern) => [...line.matchAll(pattern)].map(([, target = ""]) => ({ line: index + 1, target }))),
  );

const PATH = /(?<!`)`((?:packages|verification|scripts|docs|examples|benchmarks)\/[\w.@/-]+)`(?!`)/g;

/** Every path of this repository in inline code, such as `scripts/links.ts`. Patterns such as `docs/*` are left out. */
const pathsOf = (text: string): readonly Reference[] =>
  proseOf(text, true).flatMap((line, index) =>
    [...line.matchAll(PATH)].map(([, target = ""]) => ({ line: index + 1, target })),
  );

/** The anchor that GitHub gives a heading. */
const slugOf = (heading: string): string =>
  heading
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1") // a link's text
    .replace(/<[^>]+>/g, "")
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
    .replaceAll(" ", "-");

/** Every anchor of a page: its headings, numbered if they repeat, and explicit ids. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const line of proseOf(text, true)) {
    for (const [, id = ""] of line.matchAll(/<a\s[^>]*\b(?:id|name)="([^"]+)"/g)) anchors.add(id);
    const [, heading] = /^#{1,6}\s+(.+?)\s*#*$/.exec(line) ?? [];
    if (heading === undefined) continue;
    const slug = slugOf(heading);
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Follows links from one page to another. */
class Follower {
  readonly #files: ReadonlySet<string>;
  readonly #folders: ReadonlySet<string>;
  readonly #pages: ReadonlyMap<string, string>;

  constructor({ files, pages }: Repository) {
    this.#files = new Set(files);
    this.#folders = new Set(files.flatMap(foldersOf));
    this.#pages = pages;
  }

  /** Returns the reason why a link leads nowhere. */
  problem(page: string, target: string): string | undefined {
    const isOwn = OWN.test(target);
    if (!isOwn && EXTERNAL.test(target)) return undefined;
    const [path = "", anchor = ""] = decodeURI(target).replace(OWN, "").split("#");
    const file = isOwn ? posix.normalize(path) : resolve(page, path);
    if (this.#files.has(file)) return this.#anchorProblem(file, anchor);
    if (!this.#folders.has(file.replace(/\/$/, ""))) return `there is no ${file} in this repository`;
    return anchor === "readme" ? undefined : this.#anchorProblem(posix.join(file, "README.md"), anchor); // GitHub's own
  }

  #anchorProblem(file: string, anchor: string): string | undefined {
    if (anchor === "") return undefined;
    const text = this.#pages.get(file);
    if (text === undefined) return file.endsWith(".md") ? `there is no ${file}` : undefined; // a line of a source
    return anchorsOf(text).has(anchor) ? undefined : `${file} has no heading #${anchor}`;
  }
}

const resolve = (page: string, path: string): string => {
  if (path === "") return page;
  return path.startsWith("/") ? posix.normalize(path.slice(1)) : posix.join(posix.dirname(page), path);
};

const foldersOf = (file: string): readonly string[] => {
  const parts = file.split("/").slice(0, -1);
  return [".", ...parts.map((_, index) => parts.slice(0, index + 1).join("/"))];
};

const INDEX = "docs/README.md";

/** Every link or path that leads nowhere, and every page under `docs` that its index does not list. */
export function linkProblems(repository: Repository): readonly string[] {
  const follower = new Follower(repository);
  const broken = [...repository.pages].flatMap(([page, text]) => {
    const links = linksOf(text).flatMap(({ line, target }) => {
      const problem = follower.problem(page, target);
      return problem === undefined ? [] : [`${page}:${line}: the link to ${target} is broken: ${problem}`];
    });
    const paths = pathsOf(text)
      .filter(({ target }) => follower.problem("README.md", target) !== undefined)
      .map(({ line, target }) => `${page}:${line}: ${target} does not exist`);
    return [...links, ...paths];
  });
  return [...broken, ...unlisted(repository.pages)];
}

function unlisted(pages: Repository["pages"]): readonly string[] {
  const listed = new Set(
    linksOf(pages.get(INDEX) ?? "").map(({ target }) => resolve(INDEX, target.split("#")[0] ?? "")),
  );
  return [...pages.keys()]
    .filter((page) => page.startsWith("docs/") && page !== INDEX && !listed.has(page))
    .map((page) => `${page} is not listed in ${INDEX}; add a row for it`);
}
