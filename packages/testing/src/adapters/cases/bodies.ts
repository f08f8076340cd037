import { Readable } from "node:stream";
import { hold, success } from "../../contract.ts";
import type { Body, BodyKind } from "../harness.ts";
import { accepting, type Received } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, holdExchanges, holdStatus, holdTokens } from "./hold.ts";

const BYTES = Buffer.from([0, 255, 10, 13, 128, 195, 40]); // no text in any encoding

/** A body of each kind, and what has to arrive of it. Forms and JSON are as their client writes them. */
const bodies: Readonly<Record<BodyKind, () => { readonly body: Body; readonly arrives?: Buffer }>> = {
  json: () => ({ body: { kind: "json", value: { name: "ünï", list: [1, 2] } } }),
  form: () => ({ body: { kind: "form", value: { a: "1 2", b: "ü&=" } } }),
  searchParams: () => ({ body: { kind: "searchParams", value: new URLSearchParams({ a: "1 2", b: "ü&=" }) } }),
  formData: () => ({ body: { kind: "formData", value: formData() } }),
  string: () => ({ body: { kind: "string", value: '{"as":  "it is"}' }, arrives: Buffer.from('{"as":  "it is"}') }),
  buffer: () => ({ body: { kind: "buffer", value: BYTES }, arrives: BYTES }),
  blob: () => ({ body: { kind: "blob", value: new Blob([BYTES]) }, arrives: BYTES }),
  stream: () => ({ body: { kind: "stream", value: Readable.from([BYTES, BYTES]) }, arrives: twice }),
  webStream: () => ({ body: { kind: "webStream", value: new Blob([twice]).stream() }, arrives: twice }),
  asyncIterable: () => ({ body: { kind: "asyncIterable", value: chunks() }, arrives: twice }),
};

const twice = Buffer.concat([BYTES, BYTES]);

const formData = (): FormData => {
  const form = new FormData();
  form.set("field", "ü");
  form.set("file", new Blob([BYTES]), "name.bin");
  return form;
};

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield BYTES;
  yield BYTES;
}

/** The body without the boundary of a multipart form, which a client may choose anew. */
const contents = ({ body, contentType = "" }: Received): string => {
  const boundary = /boundary=([^;]+)/.exec(contentType)?.[1];
  return boundary ? body.toString("latin1").replaceAll(boundary, "boundary") : body.toString("latin1");
};

const bodyCase = (kind: BodyKind): AdapterCase => ({
  name: `sends a body of kind ${kind} once more byte for byte, or not at all`,
  sends: kind,
  async run(scene) {
    const { body, arrives } = bodies[kind]();
    scene.api.respond = accepting(scene.session.accessToken(2));
    const client = await scene.connect();
    const call = sendWith(client, { method: "POST", url: "/", body });
    const { status } = await success(call, "body", `A POST with a body of kind ${kind}, which met a 401,`);
    const [first, second] = scene.api.received;
    hold(first !== undefined, "body", "The request did not arrive.");
    const isWhole = arrives ? first.body.equals(arrives) : first.body.length > 0;
    hold(isWhole, "manners", () => `What arrived was not the body: ${first.body.length} bytes.`);
    if (scene.harness.bodies[kind] === "repeated") holdRepeated(first, second);
    else await holdOnce(scene, status);
    holdExchanges(scene.session, 1, "body");
    holdStatus(await sendWith(client, { url: "/" }), 200, "body");
  },
});

function holdRepeated(first: Received, second: Received | undefined): void {
  hold(second !== undefined, "body", "The request was not sent once more, although its body can be.");
  hold(
    contents(second) === contents(first),
    "body",
    () => `The second try had another body: ${second.body.length} bytes, after ${first.body.length}.`,
  );
  const type = (contentType = "") => contentType.split(";")[0];
  hold(type(first.contentType) === type(second.contentType), "body", "The second try had another content-type.");
  hold(first.method === second.method && first.path === second.path, "body", "The second try went elsewhere.");
}

async function holdOnce({ api, session }: AdapterScene, status: number): Promise<void> {
  hold(status === 401, "body", `A body that can be sent once ended with status ${status}, and not with its 401.`);
  await eventually(() => session.exchanges === 1, "body", "The 401 of a body that can be sent once renewed nothing.");
  holdTokens(api, [session.accessToken(1)], "body");
}

const kinds = Object.keys(bodies) as BodyKind[];

export const bodyCases: readonly AdapterCase[] = kinds.map(bodyCase);
