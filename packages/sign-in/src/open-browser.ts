import { spawn } from "node:child_process";
import { win32 } from "node:path";

type Command = readonly [program: string, ...args: string[]];

interface Machine {
  readonly platform: NodeJS.Platform;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Returns the command that opens a URL on Linux: only if there is a screen, because `xdg-open` may open a text browser. */
function linuxCommand({ DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME }: Machine["env"]): Command | undefined {
  if (WSL_DISTRO_NAME) return ["rundll32.exe", "url.dll,FileProtocolHandler"];
  return DISPLAY || WAYLAND_DISPLAY ? ["xdg-open"] : undefined;
}

/**
 * Returns the command that opens a URL, to which it is passed as the last argument; `undefined` if the user probably
 * sees no browser of this machine. `BROWSER` names a program, as that of an editor with a remote connection.
 */
export function browserCommand({ platform, env }: Machine): Command | undefined {
  if (env.BROWSER) return [env.BROWSER];
  if (env.SSH_CONNECTION || env.SSH_TTY) return undefined;
  if (platform === "darwin") return ["/usr/bin/open"];
  if (platform !== "win32") return linuxCommand(env);
  return [win32.join(env.SystemRoot ?? "C:\\Windows", "System32", "rundll32.exe"), "url.dll,FileProtocolHandler"];
}

/** Runs a command with a URL, without a shell. Rejects if the command fails; it may outlive this process. */
export function openWith([program, ...args]: Command, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...args, url], { stdio: "ignore", detached: true, windowsHide: true });
    child.once("error", reject);
    child.once("exit", (code) => (code ? reject(new Error(`${program} ended with code ${code}.`)) : resolve()));
    child.unref();
  });
}
