/** The messages that we write and read ourselves, with a real message bus. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Bus, ConnectionError, MethodError, socketOf } from "../../src/secret-service/dbus-connection.ts";
import { freshDirectory } from "../support/file-keychain-store.ts";
import { reasonAgainstSecretService } from "../support/secret-service-daemon.ts";

const DBUS = "org.freedesktop.DBus";
const PATH = "/org/freedesktop/DBus";
const names = { destination: DBUS, path: PATH, interface: DBUS, member: "ListNames" };

const config = (
  listen: string,
  policy: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>${listen}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/>${policy}</policy></busconfig>`;

/** A dbus-daemon of the test's own. Its address is how it tells it. */
class Daemon implements AsyncDisposable {
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  static async start(listen: string, policy = ""): Promise<Daemon> {
    const file = join(freshDirectory(), "bus.conf");
    writeFileSync(file, config(listen, policy));
    const args = [`--config-file=${file}`, "--nofork", "--print-address"];
    const daemon = spawn("dbus-daemon", args, { stdio: ["ignore", "pipe", "ignore"] });
    const [address] = await once(daemon.stdout.setEncoding("utf8"), "data");
    return new Daemon(String(address).trim(), daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill();
    await ended;
  }
}

/** Connects as a store does. */
function busAt(address: string): Bus & Disposable {
  const bus = new Bus(socketOf(address) ?? "");
  return Object.assign(bus, { [Symbol.dispose]: () => bus.close() });
}

describe("the address of a bus", () => {
  it.each([
    ["a path", "unix:path=/run/user/1000/bus", "/run/user/1000/bus"],
    ["a path and more", "unix:path=/tmp/dbus-x,guid=f3a1", "/tmp/dbus-x"],
    ["an escaped path", "unix:path=/tmp/a%20b%2cc%c3%a9", "/tmp/a b,cé"],
    ["an abstract name", "unix:abstract=/tmp/dbus-x,guid=f3a1", "\0/tmp/dbus-x"],
    ["the first one that Node can connect to", "tcp:host=localhost,port=1;unix:path=/b;unix:path=/c", "/b"],
    ["none that Node can connect to", "unixexec:path=ssh;autolaunch:", undefined],
    ["an escape that is none", "unix:path=/tmp/%zz", undefined],
    ["nothing", "", undefined],
  ])("%s", (_name, address, socket) => {
    expect(socketOf(address)).toBe(socket);
  });
});

describe("a message bus", () => {
  const reason = reasonAgainstSecretService();
  if (reason !== undefined) return it("answers", (ctx) => ctx.skip(reason));

  it("answers at a path with characters that are escaped", async () => {
    const directory = join(freshDirectory(), "é, %;=");
    mkdirSync(directory);
    const escaped = encodeURI(directory).replaceAll(",", "%2c").replaceAll(";", "%3b").replaceAll("=", "%3d");
    await using daemon = await Daemon.start(`unix:path=${escaped}/bus`);
    using bus = busAt(daemon.address);
    const [found] = await bus.call(names);
    expect(found).toContain(DBUS);
  });

  it("answers at an abstract address", async () => {
    await using daemon = await Daemon.start(`unix:abstract=unexpired-${process.pid}`);
    expect(daemon.address).toContain("abstract=");
    using bus = busAt(daemon.address);
    const [found] = await bus.call(names);
    expect(found).toContain(DBUS);
  });

  it("answers many questions at once, each its own", async () => {
    await using daemon = await Daemon.start("unix:tmpdir=/tmp");
    using bus = busAt(daemon.address);
    const ask = (name: string) =>
      bus.call({ ...names, member: "NameHasOwner", arguments: ["s", name] }).then(([answer]) => answer);
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index % 2 ? DBUS : "no.such.Name")));
    expect(answers).toEqual(Array.from({ length: 40 }, (_, index) => index % 2 === 1));
  });

  it("sends and gives back all types that are needed", async () => {
    await using daemon = await Daemon.start("unix:tmpdir=/tmp");
    using bus = busAt(daemon.address);
    const properties = { ...names, interface: `${DBUS}.Properties` };
    const [features] = await bus.call({ ...properties, member: "Get", arguments: ["ss", DBUS, "Features"] });
    expect(features).toEqual(["as", expect.any(Array)]);
    const [all] = await bus.call({ ...properties, member: "GetAll", arguments: ["s", DBUS] });
    expect(all).toContainEqual(["Features", features]);
    // The bus itself takes an a{ss}, and gives a dict of variants with numbers and bytes in it.
    const environment = [
      ["UNEXPIRED", "é"],
      ["TESTS", ""],
    ];
    const set = { ...names, member: "UpdateActivationEnvironment", arguments: ["a{ss}", environment] } as const;
    await expect(bus.call(set)).resolves.toEqual([]);
    const [who] = await bus.call({ ...names, member: "GetConnectionCredentials", arguments: ["s", DBUS] });
    expect(who).toContainEqual(["ProcessID", ["u", expect.any(Number)]]);
  });

  it("says what was objected, and goes on", async () => {
    await using daemon = await Daemon.start("unix:tmpdir=/tmp");
    using bus = busAt(daemon.address);
    const wrong = bus.call({ ...names, destination: "no.such.Name" });
    await expect(wrong).rejects.toBeInstanceOf(MethodError);
    await expect(wrong).rejects.toMatchObject({ error: `${DBUS}.Error.ServiceUnknown` });
    expect(bus.isOpen).toBe(true);
    await expect(bus.call(names)).resolves.toHaveLength(1);
  });

  it("refuses a method by its policy", async () => {
    const policy = `<deny send_destination="${DBUS}" send_interface="${DBUS}" send_member="ListNames"/>`;
    await using daemon = await Daemon.start("unix:tmpdir=/tmp", policy);
    using bus = busAt(daemon.address);
    await expect(bus.call(names)).rejects.toMatchObject({ error: `${DBUS}.Error.AccessDenied` });
  });

  it("does not let a user in", async () => {
    await using daemon = await Daemon.start("unix:tmpdir=/tmp", '<deny user="*"/>');
    using bus = busAt(daemon.address);
    await expect(bus.call(names)).rejects.toBeInstanceOf(ConnectionError);
    expect(bus.isOpen).toBe(false);
  });

  it("ends, and with it each question", async () => {
    const daemon = await Daemon.start("unix:tmpdir=/tmp");
    using bus = busAt(daemon.address);
    await bus.call(names);
    await daemon[Symbol.asyncDispose]();
    await expect(bus.call(names)).rejects.toBeInstanceOf(ConnectionError);
    expect(bus.isOpen).toBe(false);
  });

  it.each([
    ["refuses the user", "REJECTED EXTERNAL\r\n"],
    ["sends what is no message", "OK 0\r\nl\u0002\0\u0001\0\0\0\0\u0001\0\0\0\u0008\0\0\0zzzzzzzz"],
    ["hangs up", undefined],
  ])("is none when it %s", async (_name, said) => {
    const path = join(freshDirectory(), "bus");
    const server = createServer((socket) => {
      socket
        .on("error", () => undefined)
        .on("data", () => (said === undefined ? socket.destroy() : socket.write(said)));
    });
    server.listen(path);
    await once(server, "listening");
    using bus = busAt(`unix:path=${path}`);
    await expect(bus.call(names)).rejects.toBeInstanceOf(Error);
    expect(bus.isOpen).toBe(false);
    server.close();
  });
});
