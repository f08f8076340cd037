/** The messages that we write and read ourselves, with a real message bus. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  ConnectionError,
  DBusConnection,
  MethodError,
  socketPathOf,
} from "../../src/secret-service/dbus-connection.ts";
import { freshDirectory } from "../support/fresh-directory.ts";
import { secretServiceSkipReason } from "../support/secret-service-daemon.ts";

const DBUS = "org.freedesktop.DBus";
const PATH = "/org/freedesktop/DBus";
const listNames = { destination: DBUS, path: PATH, interface: DBUS, member: "ListNames" };

const busConfig = (
  listen: string,
  policy: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>${listen}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/>${policy}</policy></busconfig>`;

/** A dbus-daemon of the test's own. Its address is how it tells it. */
class BusDaemon implements AsyncDisposable {
  readonly address: string;
  readonly #process: ChildProcess;

  private constructor(address: string, process: ChildProcess) {
    this.address = address;
    this.#process = process;
  }

  static async start(listen: string, policy = ""): Promise<BusDaemon> {
    const file = join(freshDirectory(), "bus.conf");
    writeFileSync(file, busConfig(listen, policy));
    const args = [`--config-file=${file}`, "--nofork", "--print-address"];
    const daemon = spawn("dbus-daemon", args, { stdio: ["ignore", "pipe", "ignore"] });
    const [address] = await once(daemon.stdout.setEncoding("utf8"), "data");
    return new BusDaemon(String(address).trim(), daemon);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    this.#process.kill();
    await ended;
  }
}

/** Connects as a store does. */
function connectTo(address: string): DBusConnection & Disposable {
  const connection = new DBusConnection(socketPathOf(address) ?? "");
  return Object.assign(connection, { [Symbol.dispose]: () => connection.close() });
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
    expect(socketPathOf(address)).toBe(socket);
  });
});

describe("a message bus", () => {
  const reason = secretServiceSkipReason();
  if (reason !== undefined) return it("answers", (ctx) => ctx.skip(reason));

  it("answers at a path with characters that are escaped", async () => {
    const directory = join(freshDirectory(), "é, %;=");
    mkdirSync(directory);
    const escaped = encodeURI(directory).replaceAll(",", "%2c").replaceAll(";", "%3b").replaceAll("=", "%3d");
    await using daemon = await BusDaemon.start(`unix:path=${escaped}/bus`);
    using connection = connectTo(daemon.address);
    const [found] = await connection.call(listNames);
    expect(found).toContain(DBUS);
  });

  it("answers at an abstract address", async () => {
    await using daemon = await BusDaemon.start(`unix:abstract=unexpired-${process.pid}`);
    expect(daemon.address).toContain("abstract=");
    using connection = connectTo(daemon.address);
    const [found] = await connection.call(listNames);
    expect(found).toContain(DBUS);
  });

  it("answers many questions at once, each its own", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const ask = (name: string) =>
      connection.call({ ...listNames, member: "NameHasOwner", arguments: ["s", name] }).then(([reply]) => reply);
    const replies = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(index % 2 ? DBUS : "no.such.Name")));
    expect(replies).toEqual(Array.from({ length: 40 }, (_, index) => index % 2 === 1));
  });

  it("sends and gives back all types that are needed", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const properties = { ...listNames, interface: `${DBUS}.Properties` };
    const [features] = await connection.call({ ...properties, member: "Get", arguments: ["ss", DBUS, "Features"] });
    expect(features).toEqual(["as", expect.any(Array)]);
    const [all] = await connection.call({ ...properties, member: "GetAll", arguments: ["s", DBUS] });
    expect(all).toContainEqual(["Features", features]);
    // The bus itself takes an a{ss}, and gives a dict of variants with numbers and bytes in it.
    const environment = [
      ["UNEXPIRED", "é"],
      ["TESTS", ""],
    ];
    const set = { ...listNames, member: "UpdateActivationEnvironment", arguments: ["a{ss}", environment] } as const;
    await expect(connection.call(set)).resolves.toEqual([]);
    const [who] = await connection.call({ ...listNames, member: "GetConnectionCredentials", arguments: ["s", DBUS] });
    expect(who).toContainEqual(["ProcessID", ["u", expect.any(Number)]]);
  });

  it("says what was objected, and goes on", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const wrong = connection.call({ ...listNames, destination: "no.such.Name" });
    await expect(wrong).rejects.toBeInstanceOf(MethodError);
    await expect(wrong).rejects.toMatchObject({ errorName: `${DBUS}.Error.ServiceUnknown` });
    expect(connection.isOpen).toBe(true);
    await expect(connection.call(listNames)).resolves.toHaveLength(1);
  });

  it("refuses a method by its policy", async () => {
    const policy = `<deny send_destination="${DBUS}" send_interface="${DBUS}" send_member="ListNames"/>`;
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp", policy);
    using connection = connectTo(daemon.address);
    await expect(connection.call(listNames)).rejects.toMatchObject({ errorName: `${DBUS}.Error.AccessDenied` });
  });

  it("does not let a user in", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp", '<deny user="*"/>');
    using connection = connectTo(daemon.address);
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(ConnectionError);
    expect(connection.isOpen).toBe(false);
  });

  it("ends, and with it each question", async () => {
    const daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    await connection.call(listNames);
    await daemon[Symbol.asyncDispose]();
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(ConnectionError);
    expect(connection.isOpen).toBe(false);
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
    using connection = connectTo(`unix:path=${path}`);
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(Error);
    expect(connection.isOpen).toBe(false);
    server.close();
  });
});
