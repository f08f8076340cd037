import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreError } from "@unexpired/core";
import { nodeFileSystem } from "@unexpired/store-node/chain";
import { describe, expect, it } from "vitest";
import { openKeychainOrFile } from "../../src/file-fallback/keychain-or-file.ts";
import { type RunProgram, restrictToOwner, runSystemProgram } from "../../src/file-fallback/windows-acl.ts";
import { Sandbox } from "../support/sandbox.ts";

const OWN = "S-1-5-21-3623811015-3361044348-30300820-1013";
const OTHER = "S-1-5-21-3623811015-3361044348-30300820-1014";
const WHOAMI_OUTPUT = `"desktop-7k2\\j\uFFFDrg","${OWN}"\r\n`;
const DIRECTORY = "C:\\Tools of Jörg\\.session.json.unexpired";
const PROFILE_ACL = `D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;${OWN})`;
const RESTRICTED_ACL = `D:PAI(A;OICI;FA;;;${OWN})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`;
const DRIVE_ROOT_ACL =
  "D:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";

/** Simulates Windows: each call of icacls saves the next of these lists. */
function fakeWindows(...lists: readonly string[]) {
  const calls: string[] = [];
  const left = [...lists];
  const run: RunProgram = async (program, args) => {
    const path = args[1] === "/save" ? (args[2] ?? "") : "";
    calls.push([program, ...args.filter((arg) => arg !== path)].join(" "));
    if (program === "whoami") return WHOAMI_OUTPUT;
    if (path) writeFileSync(path, `\uFEFF.session.json.unexpired\r\n${left.shift()}\r\n`, "utf16le");
    return "1 Dateien erfolgreich verarbeitet";
  };
  return { calls, run };
}

const whoamiCall = "whoami /user /fo csv /nh";
const inspectCall = `icacls ${DIRECTORY} /save`;
const restrictCalls = [
  `icacls ${DIRECTORY} /reset`,
  `icacls ${DIRECTORY} /inheritance:r /grant:r *${OWN}:(OI)(CI)F *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F`,
];

describe("restrictToOwner", () => {
  it.each([
    ["of a profile", PROFILE_ACL],
    ["that was restricted before", RESTRICTED_ACL],
    ["with the local administrator", `${PROFILE_ACL}(A;OICI;FA;;;LA)`],
    ["with entries for the owner", `${PROFILE_ACL}(A;OICIIO;FA;;;CO)(A;OICI;FA;;;OW)`],
    [
      "with numeric identifiers",
      `D:(A;;FA;;;S-1-5-18)(A;;FA;;;S-1-5-32-544)(A;;FA;;;S-1-3-0)(A;;FA;;;S-1-3-4)(A;;FA;;;${OWN})`,
    ],
    ["with a deny entry", `D:AI(D;OICI;FA;;;BG)${PROFILE_ACL.slice(4)}`],
    ["that grants no access", "D:P"],
  ])("keeps an access control list %s", async (_name, list) => {
    const { calls, run } = fakeWindows(list);
    await restrictToOwner(DIRECTORY, run);
    expect(calls).toEqual([whoamiCall, inspectCall]);
  });

  it.each([
    ["of a directory in the root of a drive", DRIVE_ROOT_ACL],
    ["that includes everyone", `${PROFILE_ACL}(A;OICI;FR;;;WD)`],
    ["that includes another user", `${PROFILE_ACL}(A;OICI;FR;;;${OTHER})`],
    ["with a user whose identifier begins with this user's", `${PROFILE_ACL}(A;OICI;FR;;;${OWN}4)`],
    ["with an entry that only files inherit", `${PROFILE_ACL}(A;OIIO;FR;;;BU)`],
    ["with a conditional entry", `${PROFILE_ACL}(XA;OICI;FR;;;AU;(@User.Project Any_of {"a;b"}))`],
    ["that does not exist", "D:NO_ACCESS_CONTROL"],
  ])("replaces an access control list %s, and verifies the result", async (_name, list) => {
    const { calls, run } = fakeWindows(list, RESTRICTED_ACL);
    await restrictToOwner(DIRECTORY, run);
    expect(calls).toEqual([whoamiCall, inspectCall, ...restrictCalls, inspectCall]);
  });
});

describe("a directory that cannot be restricted", () => {
  const failing =
    (program: string, argument: string, run: RunProgram): RunProgram =>
    async (called, args) => {
      if (called === program && args.some((arg) => arg.startsWith(argument))) throw new Error("exit code 5");
      return run(called, args);
    };
  const printing =
    (text: string): RunProgram =>
    async (program, args) =>
      program === "whoami" ? text : fakeWindows(PROFILE_ACL).run(program, args);

  it.each([
    ["whoami fails", failing("whoami", "/user", fakeWindows(PROFILE_ACL).run)],
    ["whoami prints no identifier", printing('"desktop-7k2\\ada"')],
    ["icacls cannot read the list", failing("icacls", "/save", fakeWindows(PROFILE_ACL).run)],
    ["icacls saves nothing", (async (program) => (program === "whoami" ? WHOAMI_OUTPUT : "")) satisfies RunProgram],
    ["icacls saves an empty list", fakeWindows("").run],
    ["icacls cannot reset the list", failing("icacls", "/reset", fakeWindows(DRIVE_ROOT_ACL, RESTRICTED_ACL).run)],
    [
      "icacls cannot replace the list",
      failing("icacls", "/inheritance", fakeWindows(DRIVE_ROOT_ACL, RESTRICTED_ACL).run),
    ],
    ["others still have access", fakeWindows(DRIVE_ROOT_ACL, DRIVE_ROOT_ACL).run],
  ])("causes an error with a remedy if %s", async (_name, run) => {
    const error = await restrictToOwner(DIRECTORY, run).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: DIRECTORY });
    expect(String(error)).toContain(`Run icacls "${DIRECTORY}"`);
  });

  it("receives no session, and is not chosen as the location", async () => {
    using sandbox = new Sandbox();
    const restrictToOwner = () =>
      Promise.reject(new StoreError("STORE_UNAVAILABLE", { location: "", problem: "", hint: "" }));
    const store = openKeychainOrFile(sandbox.optionsFor("no_service"), {
      fs: nodeFileSystem,
      restrictToOwner,
    });
    await expect(store.save("canary-a", undefined)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(sandbox.filesOutsideKeychain).toEqual([]);
    const version = await sandbox.open("no_service").save("canary-a", undefined);
    await expect(store.save("canary-b", version)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await store.load()).toEqual({ value: "canary-a", version });
  });
});

describe("keychainOrFile on Windows", () => {
  it("checks the directory of its files before a first save, and once in each process", async () => {
    using sandbox = new Sandbox();
    const checked: string[] = [];
    const restrictToOwner = async (directory: string) => {
      expect(existsSync(directory)).toBe(true);
      checked.push(directory);
    };
    const open = () => openKeychainOrFile(sandbox.optionsFor("no_service"), { fs: nodeFileSystem, restrictToOwner });
    const store = open();
    let version = await store.save("canary-a", undefined);
    for (const value of ["canary-b", "canary-c"]) version = await store.save(value, version);
    expect(checked).toEqual([join(sandbox.directory, "plain", ".session.json.unexpired")]);
    await open().save("canary-d", version);
    expect(checked).toHaveLength(2);
    await store.remove();
    await store.save("canary-e", undefined);
    expect(checked).toHaveLength(3);
  });

  it("does not check the directory if the keychain is used", async () => {
    using sandbox = new Sandbox();
    const restrictToOwner = () => Promise.reject(new Error("must not be called"));
    const store = openKeychainOrFile(sandbox.options, { fs: nodeFileSystem, restrictToOwner });
    await store.save("canary-b", await store.save("canary-a", undefined));
  });
});

describe("restrictToOwner on a real Windows", () => {
  it("restricts files created in a shared directory to this user", async (ctx) => {
    if (process.platform !== "win32") ctx.skip("not applicable: Windows only");
    const shared = mkdtempSync(join(tmpdir(), "unexpired-acl-test-"));
    try {
      await runSystemProgram("icacls", [shared, "/grant", "*S-1-1-0:(OI)(CI)R"]);
      const directory = join(shared, "directory with a space");
      mkdirSync(directory);
      const sddl = async (path: string) => {
        await runSystemProgram("icacls", [path, "/save", join(shared, "acl")]);
        return readFileSync(join(shared, "acl"), "utf16le");
      };
      expect(await sddl(directory)).toContain(";;;WD)");
      await restrictToOwner(directory);
      writeFileSync(join(directory, "file"), "");
      for (const path of [directory, join(directory, "file")]) expect(await sddl(path)).not.toContain(";;;WD)");
      const restricted = await sddl(directory);
      await restrictToOwner(directory);
      expect(await sddl(directory)).toBe(restricted);
    } finally {
      rmSync(shared, { recursive: true, force: true });
    }
  });
});
