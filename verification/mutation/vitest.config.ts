import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

const { mutate } = JSON.parse(readFileSync(join(import.meta.dirname, "stryker.config.json"), "utf8")) as {
  mutate: readonly string[];
};
const own = mutate.map((file) => basename(file, ".ts"));

/** Runs the test files of the mutated modules first, because the first failure ends the run. */
class OwnTestsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isOther = ({ moduleId }: TestSpecification) => Number(!own.includes(basename(moduleId, ".test.ts")));
    return files.sort((a, b) => isOther(a) - isOther(b));
  }
}

/** Excludes the tests that start processes, because those run the code without the mutants. */
const project = (name: string, exclude: readonly string[] = []) => ({
  test: {
    name,
    root: `packages/${name}`,
    include: ["tests/**/*.test.ts"],
    exclude: exclude.map((file) => `tests/${file}.test.ts`),
    isolate: false,
  },
});

export default defineConfig({
  test: {
    sequence: { sequencer: OwnTestsFirst },
    projects: [project("core"), project("store-node", ["interleavings", "lock", "process-identity", "processes"])],
  },
});
