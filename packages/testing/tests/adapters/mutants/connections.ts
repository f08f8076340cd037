import { type PreparedRequest, ReferenceClient } from "../reference-client.ts";
import type { Mutant } from "./mutant.ts";

const ELSEWHERE = "sends no token if an option of the request connects it to a server other than that of its URL";

export const connectionMutants: readonly Mutant[] = [
  {
    name: "judges a request only by its URL",
    caughtBy: ELSEWHERE,
    clause: "origins",
    says: "A request that an option connected to another server carried the token.",
    Client: class extends ReferenceClient {
      protected override authorize(request: PreparedRequest) {
        return super.authorize({ ...request, call: { ...request.call, connectTo: undefined } });
      }
    },
  },
  {
    name: "ignores the option that connects a request to another server",
    caughtBy: ELSEWHERE,
    clause: "origins",
    says: "The harness did not connect a request to the server in connectTo.",
    Client: class extends ReferenceClient {
      protected override transmit(request: PreparedRequest) {
        return super.transmit({ ...request, dispatcher: this.dispatcher });
      }
    },
  },
  {
    name: "sends no token after a request that was connected to another server",
    caughtBy: ELSEWHERE,
    clause: "origins",
    says: "were [none] instead of [Bearer canary-access-1].",
    Client: class extends ReferenceClient {
      protected override async authorize(request: PreparedRequest) {
        if (request.call.connectTo) this.detach();
        return super.authorize(request);
      }
    },
  },
];
