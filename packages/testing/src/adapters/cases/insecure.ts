import { ConformanceError, expectSuccess, expectThat, throwViolation } from "../../contract.ts";
import type { Client } from "../harness.ts";
import { CANARY } from "../session.ts";
import type { AdapterCase } from "./case.ts";
import { describeError, expectTokens } from "./expect.ts";

const INSECURE = "http://api.example";
const setup = { baseURL: INSECURE, origins: [INSECURE] };

async function expectTypeError(connecting: Promise<Client>, what: string): Promise<void> {
  const error = await connecting.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (Object(error).name === "TypeError") return;
  const happened = error === undefined ? "nothing was thrown" : `${describeError(error)} was thrown`;
  throw new ConformanceError("origins", `${what}, but ${happened} instead of a TypeError.`, { cause: error });
}

const plain: AdapterCase = {
  name: "rejects an origin with plain http beyond loopback with a TypeError, unless allowInsecure is set",
  async run(scene) {
    await expectTypeError(
      scene.connect({ ...setup, allowInsecure: undefined }),
      "The adapter was attached with a plain http origin beyond loopback",
    );
    const connecting = scene.connect({ ...setup, allowInsecure: true });
    await expectSuccess(connecting, "origins", "Attaching the adapter with a plain http origin and allowInsecure");
  },
};

const polluted: AdapterCase = {
  name: "takes no option from Object.prototype",
  async run(scene) {
    const own = { ...setup, allowInsecure: undefined };
    Object.defineProperty(Object.prototype, "allowInsecure", { value: true, configurable: true, writable: true });
    let connecting: Promise<Client>;
    try {
      connecting = scene.connect(own);
    } finally {
      Reflect.deleteProperty(Object.prototype, "allowInsecure"); // before any other code can run
    }
    await expectTypeError(connecting, "Object.prototype had allowInsecure, and the origin was plain http");
  },
};

const host: AdapterCase = {
  name: "sends no token if the request's own Host header names another host",
  async run(scene) {
    const { api, session } = scene;
    await scene.send({ url: "/", headers: { host: "other-tenant.example" } }).catch(throwViolation);
    const isSent = api.received.some(({ authorization }) => authorization?.includes(CANARY));
    expectThat(!isSent, "origins", "A request with a Host header that names another host carried the token.");
    api.received.length = 0;
    await scene.send({ url: "/", headers: { host: new URL(api.origin).host } });
    expectTokens(api, [session.accessToken(1)], "origins");
  },
};

export const insecureCases: readonly AdapterCase[] = [plain, polluted, host];
