import type { SessionFormat } from "@unexpired/core";
import { jsonFormat, migratingFormat, rawTokenFormat } from "@unexpired/store-node";

const fields = { accessToken: "accessToken", refreshToken: "refreshToken", expiresAt: "expiresAt" };
const inEntry = jsonFormat({ at: ["pool", { where: { id: "ours" } }], fields });

/** Formats by name, each with a document of another program; `undefined`: none exists yet. */
export const FORMATS: Readonly<Record<string, { format: SessionFormat; document: string | undefined }>> = {
  "a JSON object": { format: jsonFormat({ at: ["oauth"], fields }), document: '{ "theme": "dark" }\n' },
  "an entry of an array": { format: inEntry, document: '{ "pool": [{ "id": "theirs" }] } // with a comment\n' },
  "a bare token": { format: rawTokenFormat(), document: undefined },
  "a format that has changed": { format: migratingFormat(inEntry, rawTokenFormat()), document: undefined },
};
