import { hold, success } from "../../contract.ts";
import { apart } from "../apart.ts";
import type { StoreCase } from "./case.ts";

const elsewhere: StoreCase = {
  name: "takes no holder of another PID namespace for gone",
  needs: ["holders", "processes", "namespaces"],
  async run(scene) {
    const { holder } = await scene.open();
    const other = scene.start({ do: "hold" }, { within: apart() });
    const id = await success(other.next(), "holder", "To open the store in another PID namespace");
    hold(typeof id === "string", "holder", "A holder in another PID namespace has no id.");
    hold(!(await holder?.isGone(id)), "holder", "isGone() was true for a process that lives in another PID namespace.");
  },
};

export const namespaceCases: readonly StoreCase[] = [elsewhere];
