import type { SessionFormat } from "@unexpired/core";
import { jsonFormat, migratingFormat, rawTokenFormat } from "@unexpired/store-node";

const fields = { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" };
const inEntry = jsonFormat({ at: ["pool", { where: { id: "ours" } }], fields });

interface DocumentFormat {
  readonly format: SessionFormat;
  /** A document of another program; `undefined`: none exists yet. */
  readonly document: string | undefined;
  readonly withoutRefreshTokens?: string;
}

export const FORMATS: Readonly<Record<string, DocumentFormat>> = {
  "a JSON object": { format: jsonFormat({ at: ["oauth"], fields }), document: '{ "theme": "dark" }\n' },
  "an entry of an array": { format: inEntry, document: '{ "pool": [{ "id": "theirs" }] } // with a comment\n' },
  "a bare token": {
    format: rawTokenFormat(),
    document: undefined,
    withoutRefreshTokens: "rawTokenFormat keeps an access token only",
  },
  "a format that has changed": { format: migratingFormat(inEntry, rawTokenFormat()), document: undefined },
};
