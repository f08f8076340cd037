import { expect, it } from "vitest";
import { Disk } from "../disk.ts";

it("restores nothing into a detached directory after a power failure", () => {
  const disk = new Disk(() => 0);
  disk.makeDirectory("/home/state");
  disk.put("/home/state/session.json", "a session");
  disk.sync("/home/state");
  disk.unlink("/home/state/session.json");
  disk.detach("/home/state");
  disk.cutPower(disk.unsynced, (text) => text);
  expect(disk.textOf("/home/state/session.json")).toBeUndefined();
});
