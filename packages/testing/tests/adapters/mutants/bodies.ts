import type { BodyKind } from "../../../src/index.ts";
import { ReferenceClient, type Sending, type Tried } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const caseOf = (kind: BodyKind) => `sends a body of kind ${kind} once more byte for byte, or not at all`;

/** The second try with a body of that kind is another request. */
const repeating = (kind: BodyKind, change: (sending: Sending) => Partial<Sending>) =>
  class extends ReferenceClient {
    protected override again(sending: Sending, header: string) {
      const changed = sending.call.body?.kind === kind ? change(sending) : {};
      return super.again({ ...sending, ...changed }, header);
    }
  };

/** Tells the policy of another body, where it is of that kind. */
const pretending = (kind: BodyKind, body: unknown, change: (sending: Sending) => Partial<Sending> = () => ({})) =>
  class extends repeating(kind, change) {
    protected override answer(tried: Tried) {
      const answer = super.answer(tried);
      return tried.sending.call.body?.kind === kind ? { ...answer, body } : answer;
    }
  };

interface Spoilt {
  readonly kind: BodyKind;
  readonly name: string;
  readonly says?: string;
  change(body: unknown): BodyInit;
}

const spoilt: readonly Spoilt[] = [
  {
    kind: "json",
    name: "serialises a JSON body a second time",
    change: JSON.stringify,
  },
  {
    kind: "form",
    name: "repeats a form as plain text",
    says: "The second try had another content-type.",
    change: String,
  },
  {
    kind: "searchParams",
    name: "repeats URLSearchParams as the JSON of an object without entries",
    change: JSON.stringify,
  },
  {
    kind: "formData",
    name: "repeats FormData as [object FormData]",
    change: String,
  },
  {
    kind: "string",
    name: "repeats a string that looks like JSON in a form of its own",
    change: (body) => JSON.stringify(JSON.parse(String(body))),
  },
  {
    kind: "buffer",
    name: "repeats a buffer as text",
    change: String,
  },
  {
    kind: "blob",
    name: "repeats a blob as [object Blob]",
    change: String,
  },
];

const changed = spoilt.map(
  ({ kind, name, says = "The second try had another body: ", change }): Mutant => ({
    name,
    caughtBy: caseOf(kind),
    clause: "body",
    says,
    Client: repeating(kind, ({ body }) => ({ body: change(body) })),
  }),
);

const once: readonly Mutant[] = [
  {
    name: "repeats a request without its stream",
    caughtBy: caseOf("stream"),
    clause: "body",
    says: "A body that can be sent once ended with status 200, and not with its 401.",
    Client: pretending("stream", undefined, () => ({ body: undefined })),
  },
  {
    name: "repeats a request with a stream that was read",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "A POST with a body of kind webStream, which met a 401, failed: ",
    Client: pretending("webStream", undefined),
  },
  {
    name: "renews nothing where it cannot repeat the request",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "The 401 of a body that can be sent once renewed nothing.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Tried) {
        return tried.sending.body instanceof ReadableStream ? undefined : super.renew(tried);
      }
    },
  },
  {
    name: "repeats a request with what is left of an iterable",
    caughtBy: caseOf("asyncIterable"),
    clause: "body",
    says: "A body that can be sent once ended with status 200, and not with its 401.",
    Client: pretending("asyncIterable", undefined, () => ({ body: new Blob([]) })),
  },
];

const whole: readonly Mutant[] = [
  {
    name: "takes a buffer for a stream",
    caughtBy: caseOf("buffer"),
    clause: "body",
    says: "The request was not sent once more, although its body can be.",
    Client: pretending("buffer", new Blob().stream()),
  },
  {
    name: "repeats a request elsewhere",
    caughtBy: caseOf("string"),
    clause: "body",
    says: "The second try went elsewhere.",
    Client: repeating("string", ({ url }) => ({ url: new URL("/again", url) })),
  },
  {
    name: "reads the first part of a stream before it sends it",
    caughtBy: caseOf("asyncIterable"),
    clause: "manners",
    says: "What arrived was not the body: 7 bytes.",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: Sending) {
        const { body } = sending.call;
        if (body?.kind === "asyncIterable") await body.value[Symbol.asyncIterator]().next();
        return super.exchange(sending);
      }
    },
  },
];

export const bodyMutants: readonly Mutant[] = [...changed, ...once, ...whole];
