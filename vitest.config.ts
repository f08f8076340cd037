import { readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { CountsReporter } from "./scripts/counts-reporter.ts";

const project = (name: string, root: string, globalSetup: string[] = []) => ({
  test: { name, root, include: ["**/*.test.ts"], exclude: ["**/node_modules/**"], testTimeout: 30_000, globalSetup },
});

export default defineConfig({
  test: {
    reporters: ["default", new CountsReporter()],
    projects: [
      ...readdirSync(join(import.meta.dirname, "packages")).map((name) => project(name, `packages/${name}`)),
      project("chaos", "chaos"),
      ...readdirSync(join(import.meta.dirname, "examples")).map((name) => project(name, `examples/${name}`)),
      project("mutation", "mutation"),
      project("scripts", "scripts"),
      project("simulation", "simulation"),
      project("whole", "tests", [join(import.meta.dirname, "tests/support/pack.ts")]),
    ],
  },
});
