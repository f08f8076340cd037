import { expectSuccess, expectThat } from "../../contract.ts";
import { inPidNamespace } from "../pid-namespace.ts";
import type { StoreCase } from "./case.ts";

const otherNamespace: StoreCase = {
  name: "cannot tell what became of a holder in another PID namespace",
  needs: ["holders", "processes", "namespaces"],
  async run(scene) {
    const { holder } = await scene.open();
    const other = scene.start({ do: "hold" }, { within: inPidNamespace() });
    const id = await expectSuccess(other.next(), "holder", "Opening the store in another PID namespace");
    expectThat(typeof id === "string", "holder", "A holder in another PID namespace has no id.");
    const status = await holder?.statusOf(id);
    expectThat(
      status === "unknown",
      "holder",
      `statusOf() was "${status}" for a running process in another PID namespace.`,
    );
  },
};

export const namespaceCases: readonly StoreCase[] = [otherNamespace];
