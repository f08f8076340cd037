import { Readable } from "node:stream";
import { expectSuccess, expectThat } from "../../contract.ts";
import type { Body, BodyKind } from "../harness.ts";
import { accepting, type Received } from "../resource-server.ts";
import { type AdapterScene, sendWith } from "../scene.ts";
import type { AdapterCase } from "./case.ts";
import { eventually, expectExchanges, expectStatus, expectTokens } from "./expect.ts";

const BYTES = Buffer.from([0, 255, 10, 13, 128, 195, 40]); // not valid text in any encoding

/** A body of each kind, and the bytes that must arrive. Clients may serialize forms and JSON in different ways. */
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

/** Returns the body without its multipart boundary, which a client may choose again for the retry. */
const contents = ({ body, contentType = "" }: Received): string => {
  const boundary = /boundary=([^;]+)/.exec(contentType)?.[1];
  return boundary ? body.toString("latin1").replaceAll(boundary, "boundary") : body.toString("latin1");
};

const bodyCase = (kind: BodyKind): AdapterCase => ({
  name: `resends a body of kind ${kind} byte for byte, or not at all`,
  sends: kind,
  async run(scene) {
    const { body, arrives } = bodies[kind]();
    scene.api.respond = accepting(scene.session.accessToken(2));
    const client = await scene.connect();
    const call = sendWith(client, { method: "POST", url: "/", body });
    const { status } = await expectSuccess(call, "body", `A POST with a body of kind ${kind} that received a 401`);
    const [first, second] = scene.api.received;
    expectThat(first !== undefined, "body", "The request did not arrive.");
    const isWhole = arrives ? first.body.equals(arrives) : first.body.length > 0;
    expectThat(isWhole, "transparency", () => `A different body arrived, of ${first.body.length} bytes.`);
    if (scene.harness.bodies[kind] === "repeated") expectRepeated(first, second);
    else await expectSentOnce(scene, status);
    expectExchanges(scene.session, 1, "body");
    expectStatus(await sendWith(client, { url: "/" }), 200, "body");
  },
});

function expectRepeated(first: Received, second: Received | undefined): void {
  expectThat(second !== undefined, "body", "The request was not retried, although its body can be resent.");
  expectThat(
    contents(second) === contents(first),
    "body",
    () => `The retry had a different body: ${second.body.length} bytes instead of ${first.body.length}.`,
  );
  const type = (contentType = "") => contentType.split(";")[0];
  expectThat(type(first.contentType) === type(second.contentType), "body", "The retry had a different content-type.");
  expectThat(
    first.method === second.method && first.path === second.path,
    "body",
    "The retry had a different method or path.",
  );
}

async function expectSentOnce({ api, session }: AdapterScene, status: number): Promise<void> {
  expectThat(
    status === 401,
    "body",
    `A body that can be sent only once ended with status ${status} instead of its 401.`,
  );
  await eventually(
    () => session.exchanges === 1,
    "body",
    "The 401 of a body that can be sent only once did not refresh the token.",
  );
  expectTokens(api, [session.accessToken(1)], "body");
}

const kinds = Object.keys(bodies) as BodyKind[];

export const bodyCases: readonly AdapterCase[] = kinds.map(bodyCase);
