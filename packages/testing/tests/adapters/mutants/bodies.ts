import type { BodyKind } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const caseOf = (kind: BodyKind) => `resends a body of kind ${kind} byte for byte, or not at all`;

/** The second try with a body of that kind is another request. */
const repeating = (kind: BodyKind, change: (sending: PreparedRequest) => Partial<PreparedRequest>) =>
  class extends ReferenceClient {
    protected override retry(sending: PreparedRequest, header: string) {
      const changed = sending.call.body?.kind === kind ? change(sending) : {};
      return super.retry({ ...sending, ...changed }, header);
    }
  };

/** Tells the policy of another body, where it is of that kind. */
const claimingBody = (
  kind: BodyKind,
  body: unknown,
  change: (sending: PreparedRequest) => Partial<PreparedRequest> = () => ({}),
) =>
  class extends repeating(kind, change) {
    protected override responseInfo(tried: Attempt) {
      const answer = super.responseInfo(tried);
      return tried.sending.call.body?.kind === kind ? { ...answer, body } : answer;
    }
  };

interface Corruption {
  readonly kind: BodyKind;
  readonly name: string;
  readonly says?: string;
  change(body: unknown): BodyInit;
}

const corrupted: readonly Corruption[] = [
  {
    kind: "json",
    name: "serialises a JSON body a second time",
    change: JSON.stringify,
  },
  {
    kind: "form",
    name: "repeats a form as plain text",
    says: "The retry had a different content-type.",
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

const changed = corrupted.map(
  ({ kind, name, says = "The retry had a different body: ", change }): Mutant => ({
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
    says: "A body that can be sent only once ended with status 200 instead of its 401.",
    Client: claimingBody("stream", undefined, () => ({ body: undefined })),
  },
  {
    name: "repeats a request with a stream that was read",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "A POST with a body of kind webStream that received a 401 failed: ",
    Client: claimingBody("webStream", undefined),
  },
  {
    name: "renews nothing where it cannot repeat the request",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "The 401 of a body that can be sent only once did not renew the token.",
    Client: class extends ReferenceClient {
      protected override async renew(tried: Attempt) {
        return tried.sending.body instanceof ReadableStream ? undefined : super.renew(tried);
      }
    },
  },
  {
    name: "repeats a request with what is left of an iterable",
    caughtBy: caseOf("asyncIterable"),
    clause: "body",
    says: "A body that can be sent only once ended with status 200 instead of its 401.",
    Client: claimingBody("asyncIterable", undefined, () => ({ body: new Blob([]) })),
  },
];

const whole: readonly Mutant[] = [
  {
    name: "takes a buffer for a stream",
    caughtBy: caseOf("buffer"),
    clause: "body",
    says: "The request was not retried, although its body can be resent.",
    Client: claimingBody("buffer", new Blob().stream()),
  },
  {
    name: "repeats a request elsewhere",
    caughtBy: caseOf("string"),
    clause: "body",
    says: "The retry had a different method or path.",
    Client: repeating("string", ({ url }) => ({ url: new URL("/again", url) })),
  },
  {
    name: "reads the first part of a stream before it sends it",
    caughtBy: caseOf("asyncIterable"),
    clause: "transparency",
    says: "A different body arrived, of 7 bytes.",
    Client: class extends ReferenceClient {
      protected override async exchange(sending: PreparedRequest) {
        const { body } = sending.call;
        if (body?.kind === "asyncIterable") await body.value[Symbol.asyncIterator]().next();
        return super.exchange(sending);
      }
    },
  },
];

export const bodyMutants: readonly Mutant[] = [...changed, ...once, ...whole];
