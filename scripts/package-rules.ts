/** The rules that every package under `packages/` must follow. Pure, so that they can be tested: facts in, problems out. */

export interface PackageFacts {
  /** Its name under `packages/`. */
  readonly folder: string;
  /** Its tracked files, relative to it. */
  readonly files: readonly string[];
  /** The parsed package.json, keys in their order. */
  readonly manifest: Readonly<Record<string, unknown>>;
}

const FILES = ["LICENSE", "README.md", "package.json", "src/index.ts", "tsup.config.ts"];

/** The fields in their order; those marked with `?` may be absent, and no others may be there. */
const FIELDS = [
  "name",
  "version",
  "description",
  "license",
  "repository",
  "keywords",
  "type",
  "sideEffects",
  "engines",
  "exports",
  "files",
  "publishConfig",
  "scripts",
  "dependencies?",
  "peerDependencies?",
  "peerDependenciesMeta?",
  "optionalDependencies?",
  "devDependencies?",
];

/** The values that are the same everywhere, but for the folder's name. */
const agreed = (folder: string) => ({
  name: `@unexpired/${folder}`,
  license: "MIT",
  repository: {
    type: "git",
    url: "git+https://github.com/unexpired/unexpired.git",
    directory: `packages/${folder}`,
  },
  type: "module",
  sideEffects: false,
  engines: { node: ">=22.12" },
  scripts: { build: "tsup", test: `vitest run --root ../.. --project ${folder}` },
});

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
const record = (value: unknown) => (value ?? {}) as Readonly<Record<string, unknown>>;

function fileProblems({ files }: PackageFacts): string[] {
  const missing = FILES.filter((file) => !files.includes(file)).map((file) => `add the file ${file}`);
  const tested = files.some((file) => /^tests\/.*\.test\.ts$/.test(file));
  return tested ? missing : [...missing, "add a test: tests/<name>.test.ts"];
}

function fieldProblems({ manifest }: PackageFacts): string[] {
  const order = FIELDS.map((field) => field.replace("?", ""));
  const keys = Object.keys(manifest);
  const known = keys.filter((key) => order.includes(key));
  const wanted = order.filter((field) => known.includes(field));
  return [
    ...FIELDS.filter((field) => !(field.endsWith("?") || keys.includes(field))).map((field) => `add "${field}"`),
    ...keys
      .filter((key) => !order.includes(key))
      .map((key) => `remove "${key}", or add it to FIELDS in scripts/package-rules.ts`),
    ...(same(known, wanted) ? [] : [`put the fields in this order: ${wanted.join(", ")}`]),
  ];
}

/** The folders that are published as they are, besides what is built. */
const AS_THEY_ARE = ["migrations"];

const published = (files: readonly string[]) => [
  "dist",
  ...AS_THEY_ARE.filter((folder) => files.some((file) => file.startsWith(`${folder}/`))),
];

const valueProblems = ({ folder, files, manifest }: PackageFacts): string[] =>
  Object.entries({ ...agreed(folder), files: published(files) })
    .filter(([field, value]) => !same(manifest[field], value))
    .map(([field, value]) => `set "${field}" to ${JSON.stringify(value)}`);

/** `./src/a.ts` is built to `./dist/a.js`; whatever is no source is published as it is. */
function built(source: unknown): unknown {
  const name = /^\.\/src\/(.+)\.ts$/.exec(String(source))?.[1];
  return name === undefined ? source : { types: `./dist/${name}.d.ts`, default: `./dist/${name}.js` };
}

function exportProblems({ files, manifest }: PackageFacts): string[] {
  const exported = Object.entries(record(manifest.exports));
  const published = Object.fromEntries(exported.map(([key, source]) => [key, built(source)]));
  const publishConfig = { access: "public", exports: published };
  return [
    ...exported
      .filter(([, source]) => !files.includes(String(source).slice(2)))
      .map(([key, source]) => `"exports" names ${source} for "${key}", which does not exist`),
    ...(same(manifest.publishConfig, publishConfig)
      ? []
      : [`set "publishConfig" to ${JSON.stringify(publishConfig)}, as "exports" has it`]),
  ];
}

/** Versions of what we only develop with are exact, so that two machines install the same. */
export const inexactVersions = (manifest: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(record(manifest.devDependencies))
    .filter(([, version]) => !/^((npm:[\w@/.-]+@)?\d+\.\d+\.\d+\S*|workspace:\*)$/.test(String(version)))
    .map(([name, version]) => `pin ${name} in "devDependencies" exactly (it says "${version}")`);

export const packageProblems = (facts: PackageFacts): string[] =>
  [fileProblems, fieldProblems, valueProblems, exportProblems]
    .flatMap((rule) => rule(facts))
    .concat(inexactVersions(facts.manifest));

/** Text that would tie a file to one machine or one registry. Invented homes, such as `/home/ada`, are no problem. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w.:/-])(?:\/root|\/work)\//, "the path of a machine"],
  [/\bregistry\.[\w-]+\.[a-z]+|^\s*tarball: *http|\/-\/[\w.-]+\.tgz/im, "the address of a registry"],
];

/** `places` are the folders of this machine that no file may name. */
export const textProblems = (text: string, places: readonly string[]): string[] => [
  ...FORBIDDEN.flatMap(([pattern, what]) => {
    const found = pattern.exec(text)?.[0];
    return found === undefined ? [] : [`take out ${what}: ${found.trim()}`];
  }),
  ...places.filter((place) => text.includes(place)).map((place) => `take out the path of this machine: ${place}`),
];
