import type { Options } from "tsup";

/** The one build of every package: ES modules with declarations; what is bundled is a devDependency of the package. */
export const library = (...entry: string[]): Options => ({
  entry,
  format: "esm",
  target: "node22",
  dts: true,
  clean: true,
  treeshake: true,
  removeNodeProtocol: false,
});
