/** Request bodies that a 401 meets. */
import { Readable } from "node:stream";
import { ALL, type ClientName } from "../clients.ts";
import type { Row } from "../row.ts";
import { type Connected, clientRow } from "../through-clients.ts";
import { until } from "../until.ts";

const form = (): FormData => {
  const data = new FormData();
  data.set("field", "value");
  data.set("file", new Blob(["content"]), "name.txt");
  return data;
};

/** Rejects the first access token. */
function rejectFirst({ scene }: Connected): void {
  scene.api.respond = ({ authorization }) => ({ status: authorization?.endsWith("1") ? 401 : 200 });
}

/** Says whether the requests that the API received had the same body. */
const bodiesOf = ({ scene }: Connected): string => {
  const bodies = scene.api.received.map(({ body, contentType = "" }) => {
    const boundary = /boundary=([^;]+)/.exec(contentType)?.[1];
    return boundary ? body.toString().replaceAll(boundary, "") : body.toString();
  });
  return new Set(bodies).size === 1 && bodies[0] !== "" ? "same body" : "different bodies";
};

const CONTENT_TYPES = { "content-type": "multipart/form-data" };

const repeated = (situation: string, create: () => unknown, clients: readonly ClientName[] = ALL): Row =>
  clientRow({
    situation: `401 for a POST with ${situation}`,
    clients,
    expected: { happened: /^token 1, token 2; 1 exchange \([^:]*\)$/, saw: /^200, same body \([^:]*\)$/ },
    run: async (client) => {
      rejectFirst(client);
      const body = create();
      const isForm = client.name === "axios" && body instanceof FormData;
      const status = await client.send({ body, ...(isForm && { headers: CONTENT_TYPES }) });
      return `${status}, ${bodiesOf(client)}`;
    },
  });

const once = (situation: string, create: () => unknown, clients: readonly ClientName[] = ALL): Row =>
  clientRow({
    situation: `401 for a POST with ${situation}, and the next call`,
    clients,
    expected: { happened: /^token 1, token 2; 1 exchange \([^:]*\)$/, saw: /^401, then 200 \([^:]*\)$/ },
    run: async (client) => {
      rejectFirst(client);
      let isRenewed = false;
      client.session.tokens.subscribe(({ type }) => {
        isRenewed ||= type === "refreshed";
      });
      const status = await client.send({ body: create() });
      await until(() => isRenewed);
      return `${status}, then ${await client.send()}`;
    },
  });

async function* chunks() {
  yield Buffer.from("one");
  yield Buffer.from("two");
}

export const bodyRows: readonly Row[] = [
  repeated("a FormData", form),
  repeated("a string", () => "text"),
  repeated("a Buffer", () => Buffer.from("bytes")),
  repeated("a URLSearchParams", () => new URLSearchParams({ a: "1" }), ["createFetch", "axios", "ofetch"]),
  once("a Node.js stream", () => Readable.from([Buffer.from("text")])),
  once("a web stream", () => new Blob(["text"]).stream(), ["createFetch", "ofetch"]),
  once("an async iterable", chunks, ["createFetch", "got"]),
];
