import { expectSuccess, expectThat } from "../../contract.ts";
import { inPidNamespace } from "../pid-namespace.ts";
import type { StoreCase } from "./case.ts";

const otherNamespace: StoreCase = {
  name: "never reports a holder in another PID namespace as gone",
  needs: ["holders", "processes", "namespaces"],
  async run(scene) {
    const { holder } = await scene.open();
    const other = scene.start({ do: "hold" }, { within: inPidNamespace() });
    const id = await expectSuccess(other.next(), "holder", "Opening the store in another PID namespace");
    expectThat(typeof id === "string", "holder", "A holder in another PID namespace has no id.");
    expectThat(
      !(await holder?.isGone(id)),
      "holder",
      "isGone() was true for a running process in another PID namespace.",
    );
  },
};

export const namespaceCases: readonly StoreCase[] = [otherNamespace];
