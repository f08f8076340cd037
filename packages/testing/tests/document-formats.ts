import type { SessionFormat } from "@unexpired/core";
import { jsonFormat, migratingFormat, rawTokenFormat } from "@unexpired/store-node";

const fields = { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" };
const inObject = jsonFormat({ at: ["oauth"], fields });
const inEntry = jsonFormat({ at: ["pool", { where: { id: "ours" } }], fields });

interface DocumentFormat {
  readonly format: SessionFormat;
  /** A document of another program; `undefined`: none exists yet. */
  readonly document: string | undefined;
  /** Returns a document that the format cannot read, and whose entry it can discard if it has a function for that. */
  damaged(number: number): string;
  readonly withoutRefreshTokens?: string;
}

export const FORMATS: Readonly<Record<string, DocumentFormat>> = {
  "a JSON object": {
    format: inObject,
    document: '{ "theme": "dark" }\n',
    damaged: (number) => `{ "theme": "dark", "oauth": [${number}] }\n`,
  },
  "an entry of an array, with comments": {
    format: inEntry,
    document: '// a pool\n{\n  "pool": [\n    { "id": "theirs" }, // by hand\n  ],\n}\n',
    damaged: (number) => `// a pool\n{ "pool": [{ "id": "ours", "accessToken": ${number} }] }\n`,
  },
  "a bare token": {
    format: rawTokenFormat(),
    document: undefined,
    damaged: (number) => `token ${number}`,
    withoutRefreshTokens: "rawTokenFormat keeps an access token only",
  },
  "a format that has changed": {
    format: migratingFormat(inEntry, inObject, rawTokenFormat()),
    document: '{\n  "theme": "dark"\n}\n',
    damaged: (number) => `{ "pool": ${number}`,
  },
};
