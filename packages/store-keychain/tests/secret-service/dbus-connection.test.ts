/** The D-Bus client, tested with a real message bus. */
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

/** A dbus-daemon for one test. Its address is as the daemon prints it. */
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

/** Connects to a bus by its address. */
function connectTo(address: string): DBusConnection & Disposable {
  const connection = new DBusConnection(socketPathOf(address) ?? "");
  return Object.assign(connection, { [Symbol.dispose]: () => connection.close() });
}

describe("socketPathOf", () => {
  it.each([
    ["a path", "unix:path=/run/user/1000/bus", "/run/user/1000/bus"],
    ["a path with other keys", "unix:path=/tmp/dbus-x,guid=f3a1", "/tmp/dbus-x"],
    ["an escaped path", "unix:path=/tmp/a%20b%2cc%c3%a9", "/tmp/a b,cé"],
    ["an abstract name", "unix:abstract=/tmp/dbus-x,guid=f3a1", "\0/tmp/dbus-x"],
    ["the first one that Node can connect to", "tcp:host=localhost,port=1;unix:path=/b;unix:path=/c", "/b"],
    ["only addresses that Node cannot connect to", "unixexec:path=ssh;autolaunch:", undefined],
    ["an invalid escape sequence", "unix:path=/tmp/%zz", undefined],
    ["an empty address", "", undefined],
  ])("parses %s", (_name, address, socket) => {
    expect(socketPathOf(address)).toBe(socket);
  });
});

describe("DBusConnection", () => {
  const skipReason = secretServiceSkipReason();
  if (skipReason !== undefined) return it("connects to a bus", (ctx) => ctx.skip(skipReason));

  it("connects to a path with escaped characters", async () => {
    const directory = join(freshDirectory(), "é, %;=");
    mkdirSync(directory);
    const escaped = encodeURI(directory).replaceAll(",", "%2c").replaceAll(";", "%3b").replaceAll("=", "%3d");
    await using daemon = await BusDaemon.start(`unix:path=${escaped}/bus`);
    using connection = connectTo(daemon.address);
    const [found] = await connection.call(listNames);
    expect(found).toContain(DBUS);
  });

  it("connects to an abstract address", async () => {
    await using daemon = await BusDaemon.start(`unix:abstract=unexpired-${process.pid}`);
    expect(daemon.address).toContain("abstract=");
    using connection = connectTo(daemon.address);
    const [found] = await connection.call(listNames);
    expect(found).toContain(DBUS);
  });

  it("matches the replies of concurrent calls to their calls", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const hasOwner = (name: string) =>
      connection.call({ ...listNames, member: "NameHasOwner", arguments: ["s", name] }).then(([reply]) => reply);
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, index) => hasOwner(index % 2 ? DBUS : "no.such.Name")),
    );
    expect(replies).toEqual(Array.from({ length: 40 }, (_, index) => index % 2 === 1));
  });

  it("encodes and decodes all required types", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const properties = { ...listNames, interface: `${DBUS}.Properties` };
    const [features] = await connection.call({ ...properties, member: "Get", arguments: ["ss", DBUS, "Features"] });
    expect(features).toEqual(["as", expect.any(Array)]);
    const [all] = await connection.call({ ...properties, member: "GetAll", arguments: ["s", DBUS] });
    expect(all).toContainEqual(["Features", features]);
    // The bus accepts an a{ss}, and returns a dict of variants that contain numbers and bytes.
    const environment = [
      ["UNEXPIRED", "é"],
      ["TESTS", ""],
    ];
    const set = { ...listNames, member: "UpdateActivationEnvironment", arguments: ["a{ss}", environment] } as const;
    await expect(connection.call(set)).resolves.toEqual([]);
    const [credentials] = await connection.call({
      ...listNames,
      member: "GetConnectionCredentials",
      arguments: ["s", DBUS],
    });
    expect(credentials).toContainEqual(["ProcessID", ["u", expect.any(Number)]]);
  });

  it("rejects with the error of a reply, and stays open", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    const failing = connection.call({ ...listNames, destination: "no.such.Name" });
    await expect(failing).rejects.toBeInstanceOf(MethodError);
    await expect(failing).rejects.toMatchObject({ errorName: `${DBUS}.Error.ServiceUnknown` });
    expect(connection.isOpen).toBe(true);
    await expect(connection.call(listNames)).resolves.toHaveLength(1);
  });

  it("rejects if the policy of the bus denies a method", async () => {
    const policy = `<deny send_destination="${DBUS}" send_interface="${DBUS}" send_member="ListNames"/>`;
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp", policy);
    using connection = connectTo(daemon.address);
    await expect(connection.call(listNames)).rejects.toMatchObject({ errorName: `${DBUS}.Error.AccessDenied` });
  });

  it("rejects and closes if the bus denies the user", async () => {
    await using daemon = await BusDaemon.start("unix:tmpdir=/tmp", '<deny user="*"/>');
    using connection = connectTo(daemon.address);
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(ConnectionError);
    expect(connection.isOpen).toBe(false);
  });

  it("rejects and closes if the bus has stopped", async () => {
    const daemon = await BusDaemon.start("unix:tmpdir=/tmp");
    using connection = connectTo(daemon.address);
    await connection.call(listNames);
    await daemon[Symbol.asyncDispose]();
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(ConnectionError);
    expect(connection.isOpen).toBe(false);
  });

  it.each([
    ["rejects the user", "REJECTED EXTERNAL\r\n"],
    ["sends an invalid message", "OK 0\r\nl\u0002\0\u0001\0\0\0\0\u0001\0\0\0\u0008\0\0\0zzzzzzzz"],
    ["hangs up", undefined],
  ])("rejects and closes if the bus %s", async (_name, reply) => {
    const path = join(freshDirectory(), "bus");
    const server = createServer((socket) => {
      socket
        .on("error", () => undefined)
        .on("data", () => (reply === undefined ? socket.destroy() : socket.write(reply)));
    });
    server.listen(path);
    await once(server, "listening");
    using connection = connectTo(`unix:path=${path}`);
    await expect(connection.call(listNames)).rejects.toBeInstanceOf(Error);
    expect(connection.isOpen).toBe(false);
    server.close();
  });
});
