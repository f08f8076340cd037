import type { BodyKind } from "../../../src/index.ts";
import { type Attempt, type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const caseOf = (kind: BodyKind) => `resends a body of kind ${kind} byte for byte, or not at all`;

/** Changes the retry of a request with a body of that kind. */
const repeating = (kind: BodyKind, change: (request: PreparedRequest) => Partial<PreparedRequest>) =>
  class extends ReferenceClient {
    protected override retry(request: PreparedRequest, header: string) {
      const changed = request.call.body?.kind === kind ? change(request) : {};
      return super.retry({ ...request, ...changed }, header);
    }
  };

/** Reports a different body to the authorizer if the body is of that kind. */
const claimingBody = (
  kind: BodyKind,
  body: unknown,
  change: (request: PreparedRequest) => Partial<PreparedRequest> = () => ({}),
) =>
  class extends repeating(kind, change) {
    protected override responseInfo(attempt: Attempt) {
      const info = super.responseInfo(attempt);
      return attempt.request.call.body?.kind === kind ? { ...info, body } : info;
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
    name: "serializes a JSON body twice",
    change: JSON.stringify,
  },
  {
    kind: "form",
    name: "resends a form as plain text",
    says: "The retry had a different content-type.",
    change: String,
  },
  {
    kind: "searchParams",
    name: "resends URLSearchParams as the JSON of an empty object",
    change: JSON.stringify,
  },
  {
    kind: "formData",
    name: "resends FormData as [object FormData]",
    change: String,
  },
  {
    kind: "string",
    name: "reformats a string that looks like JSON when it resends it",
    change: (body) => JSON.stringify(JSON.parse(String(body))),
  },
  {
    kind: "buffer",
    name: "resends a buffer as text",
    change: String,
  },
  {
    kind: "blob",
    name: "resends a blob as [object Blob]",
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
    name: "retries a request without its stream",
    caughtBy: caseOf("stream"),
    clause: "body",
    says: "A body that can be sent only once ended with status 200 instead of its 401.",
    Client: claimingBody("stream", undefined, () => ({ body: undefined })),
  },
  {
    name: "retries a request with a consumed stream",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "A POST with a body of kind webStream that received a 401 failed: ",
    Client: claimingBody("webStream", undefined),
  },
  {
    name: "refreshes nothing if it cannot retry the request",
    caughtBy: caseOf("webStream"),
    clause: "body",
    says: "The 401 of a body that can be sent only once did not refresh the token.",
    Client: class extends ReferenceClient {
      protected override async renew(attempt: Attempt) {
        return attempt.request.body instanceof ReadableStream ? undefined : super.renew(attempt);
      }
    },
  },
  {
    name: "retries a request with the rest of an iterable",
    caughtBy: caseOf("asyncIterable"),
    clause: "body",
    says: "A body that can be sent only once ended with status 200 instead of its 401.",
    Client: claimingBody("asyncIterable", undefined, () => ({ body: new Blob([]) })),
  },
];

const whole: readonly Mutant[] = [
  {
    name: "treats a buffer as a stream",
    caughtBy: caseOf("buffer"),
    clause: "body",
    says: "The request was not retried, although its body can be resent.",
    Client: claimingBody("buffer", new Blob().stream()),
  },
  {
    name: "retries a request at another URL",
    caughtBy: caseOf("string"),
    clause: "body",
    says: "The retry had a different method or path.",
    Client: repeating("string", ({ url }) => ({ url: new URL("/again", url) })),
  },
  {
    name: "reads the first part of a stream before sending it",
    caughtBy: caseOf("asyncIterable"),
    clause: "transparency",
    says: "A different body arrived, of 7 bytes.",
    Client: class extends ReferenceClient {
      protected override async exchange(request: PreparedRequest) {
        const { body } = request.call;
        if (body?.kind === "asyncIterable") await body.value[Symbol.asyncIterator]().next();
        return super.exchange(request);
      }
    },
  },
];

export const bodyMutants: readonly Mutant[] = [...changed, ...once, ...whole];
