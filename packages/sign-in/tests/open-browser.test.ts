import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { browserCommand, openWith } from "../src/open-browser.ts";

const ssh = { SSH_CONNECTION: "192.0.2.1 50000 192.0.2.2 22", DISPLAY: ":0" };

describe("the command that opens a browser", () => {
  it.each([
    { platform: "darwin", env: {}, command: ["/usr/bin/open"] },
    { platform: "darwin", env: ssh, command: undefined },
    {
      platform: "win32",
      env: { SystemRoot: "D:\\Windows" },
      command: ["D:\\Windows\\System32\\rundll32.exe", "url.dll,FileProtocolHandler"],
    },
    { platform: "linux", env: { DISPLAY: ":0" }, command: ["xdg-open"] },
    { platform: "linux", env: { WAYLAND_DISPLAY: "wayland-0" }, command: ["xdg-open"] },
    { platform: "linux", env: {}, command: undefined },
    { platform: "linux", env: { DISPLAY: "" }, command: undefined },
    { platform: "linux", env: ssh, command: undefined },
    { platform: "linux", env: { SSH_TTY: "/dev/pts/0", DISPLAY: ":0" }, command: undefined },
    { platform: "linux", env: { ...ssh, BROWSER: "/opt/editor/browser.sh" }, command: ["/opt/editor/browser.sh"] },
    { platform: "linux", env: { WSL_DISTRO_NAME: "Debian" }, command: ["rundll32.exe", "url.dll,FileProtocolHandler"] },
  ] as const)("on $platform with $env is $command", ({ platform, env, command }) => {
    expect(browserCommand({ platform, env })).toEqual(command);
  });
});

describe("openWith", () => {
  beforeEach(({ skip }) => skip(process.platform === "win32", "not applicable: a shell script is the browser"));

  function script(text: string): { readonly program: string; readonly output: string } {
    const folder = mkdtempSync(join(tmpdir(), "unexpired-browser-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const program = join(folder, "browser");
    writeFileSync(program, `#!/bin/sh\n${text.replaceAll("OUTPUT", join(folder, "output"))}\n`);
    chmodSync(program, 0o700);
    return { program, output: join(folder, "output") };
  }

  it("passes the URL as one argument, and never to a shell", async () => {
    const { program, output } = script('printf "%s\\n" "$#" "$@" > OUTPUT');
    const url = "https://auth.example/?a=1&b=$(touch%20x)`id`;'\"|<>%PATH%";
    await openWith([program, "first"], url);
    expect(readFileSync(output, "utf8")).toBe(`2\nfirst\n${url}\n`);
  });

  it("rejects if the command fails", async () => {
    await expect(openWith([script("exit 3").program], "https://auth.example")).rejects.toThrow(/ended with code 3/);
  });

  it("rejects if there is no such command", async () => {
    const missing = join(tmpdir(), "unexpired-no-such-browser");
    expect(existsSync(missing)).toBe(false);
    await expect(openWith([missing], "https://auth.example")).rejects.toMatchObject({ code: "ENOENT" });
  });
});
