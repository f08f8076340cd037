/** Runs the kit on the format that docs/writing-a-format.md shows. */
import { describe, it } from "vitest";
import { describeSessionFormat, type FormatHarness } from "../../src/index.ts";
import { envFormat } from "./env-format.ts";

const harness: FormatHarness = {
  format: envFormat,
  fields: ["accessToken"],
  documents: [
    {
      name: "a file with other variables",
      text: ({ tokens }) => `# by hand\nDEBUG=1\nexport API_TOKEN=${tokens.accessToken}\nPORT=80\n`,
      keeps: ["# by hand\nDEBUG=1\n", "\nPORT=80\n"],
    },
    { name: "a file with nothing else", text: ({ tokens }) => `API_TOKEN=${tokens.accessToken}\n` },
  ],
  unreadable: [
    {
      name: "a token in quotes",
      text: ({ tokens }) => `# by hand\nAPI_TOKEN="${tokens.accessToken}"\n`,
      keeps: ["# by hand\n"],
    },
  ],
};

describe("envFormat", () => describeSessionFormat({ describe, it }, harness));
