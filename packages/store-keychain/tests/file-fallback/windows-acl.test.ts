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
const WHOAMI = `"desktop-7k2\\j\uFFFDrg","${OWN}"\r\n`;
const DIRECTORY = "C:\\Tools of Jörg\\.session.json.unexpired";
const PROFILE = `D:AI(A;OICIID;FA;;;SY)(A;OICIID;FA;;;BA)(A;OICIID;FA;;;${OWN})`;
const NARROW = `D:PAI(A;OICI;FA;;;${OWN})(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)`;
const ROOT =
  "D:AI(A;ID;FA;;;BA)(A;OICIIOID;GA;;;BA)(A;ID;FA;;;SY)(A;OICIIOID;GA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;0x1301bf;;;AU)(A;OICIIOID;SDGXGWGR;;;AU)";

/** A Windows on which icacls saves these lists, one after the other. */
function windows(...lists: readonly string[]) {
  const calls: string[] = [];
  const left = [...lists];
  const run: RunProgram = async (program, args) => {
    const path = args[1] === "/save" ? (args[2] ?? "") : "";
    calls.push([program, ...args.filter((arg) => arg !== path)].join(" "));
    if (program === "whoami") return WHOAMI;
    if (path) writeFileSync(path, `\uFEFF.session.json.unexpired\r\n${left.shift()}\r\n`, "utf16le");
    return "1 Dateien erfolgreich verarbeitet";
  };
  return { calls, run };
}

const whoami = "whoami /user /fo csv /nh";
const look = `icacls ${DIRECTORY} /save`;
const narrow = [
  `icacls ${DIRECTORY} /reset`,
  `icacls ${DIRECTORY} /inheritance:r /grant:r *${OWN}:(OI)(CI)F *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F`,
];

describe("a list of Windows", () => {
  it.each([
    ["of a profile", PROFILE],
    ["that was narrowed", NARROW],
    ["with the first administrator", `${PROFILE}(A;OICI;FA;;;LA)`],
    ["with entries for the owner", `${PROFILE}(A;OICIIO;FA;;;CO)(A;OICI;FA;;;OW)`],
    ["in numbers", `D:(A;;FA;;;S-1-5-18)(A;;FA;;;S-1-5-32-544)(A;;FA;;;S-1-3-0)(A;;FA;;;S-1-3-4)(A;;FA;;;${OWN})`],
    ["with a denial", `D:AI(D;OICI;FA;;;BG)${PROFILE.slice(4)}`],
    ["that lets nobody in", "D:P"],
  ])("%s is left as it is", async (_name, list) => {
    const { calls, run } = windows(list);
    await restrictToOwner(DIRECTORY, run);
    expect(calls).toEqual([whoami, look]);
  });

  it.each([
    ["of a directory in the root of a disk", ROOT],
    ["with everyone", `${PROFILE}(A;OICI;FR;;;WD)`],
    ["with another user", `${PROFILE}(A;OICI;FR;;;${OTHER})`],
    ["whose user is only the beginning of another", `${PROFILE}(A;OICI;FR;;;${OWN}4)`],
    ["with an entry that only files get", `${PROFILE}(A;OIIO;FR;;;BU)`],
    ["with a condition", `${PROFILE}(XA;OICI;FR;;;AU;(@User.Project Any_of {"a;b"}))`],
    ["that is none", "D:NO_ACCESS_CONTROL"],
  ])("%s is replaced by one for this user, and looked at again", async (_name, list) => {
    const { calls, run } = windows(list, NARROW);
    await restrictToOwner(DIRECTORY, run);
    expect(calls).toEqual([whoami, look, ...narrow, look]);
  });
});

describe("a directory that cannot be kept private", () => {
  const failing =
    (program: string, argument: string, run: RunProgram): RunProgram =>
    async (called, args) => {
      if (called === program && args.some((arg) => arg.startsWith(argument))) throw new Error("exit code 5");
      return run(called, args);
    };
  const printing =
    (text: string): RunProgram =>
    async (program, args) =>
      program === "whoami" ? text : windows(PROFILE).run(program, args);

  it.each([
    ["whoami fails", failing("whoami", "/user", windows(PROFILE).run)],
    ["whoami tells no identifier", printing('"desktop-7k2\\ada"')],
    ["icacls cannot look", failing("icacls", "/save", windows(PROFILE).run)],
    ["icacls saves nothing", (async (program) => (program === "whoami" ? WHOAMI : "")) satisfies RunProgram],
    ["icacls saves no list", windows("").run],
    ["icacls cannot reset it", failing("icacls", "/reset", windows(ROOT, NARROW).run)],
    ["icacls cannot narrow it", failing("icacls", "/inheritance", windows(ROOT, NARROW).run)],
    ["it stays wide", windows(ROOT, ROOT).run],
  ])("is an error that says what to do: %s", async (_name, run) => {
    const error = await restrictToOwner(DIRECTORY, run).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", location: DIRECTORY });
    expect(String(error)).toContain(`See what icacls "${DIRECTORY}" says`);
  });

  it("gets no session, and is not chosen", async () => {
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

describe("a store", () => {
  it("looks at the directory of all its files before a first save, and once in each process", async () => {
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

  it("does not look where the keychain is", async () => {
    using sandbox = new Sandbox();
    const restrictToOwner = () => Promise.reject(new Error("looked"));
    const store = openKeychainOrFile(sandbox.options, { fs: nodeFileSystem, restrictToOwner });
    await store.save("canary-b", await store.save("canary-a", undefined));
  });
});

describe("a real Windows", () => {
  it("gives what is created in a shared directory to this user only", async (ctx) => {
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
      const narrowed = await sddl(directory);
      await restrictToOwner(directory);
      expect(await sddl(directory)).toBe(narrowed);
    } finally {
      rmSync(shared, { recursive: true, force: true });
    }
  });
});
