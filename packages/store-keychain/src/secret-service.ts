import { join } from "node:path";
import { Bus, type Reply, socketOf } from "./dbus.ts";
import { pause, within } from "./deadline.ts";
import { KeychainError } from "./errors.ts";

const SERVICE = "org.freedesktop.secrets";
const LOOKS = 5;
const PAUSE = 20; // ms
const PLACE = "The Secret Service of this session";
const START =
  "Start one, such as gnome-keyring or KWallet, or run the program in a desktop session; on a machine without one use another store, such as fileStore of @unexpired/store-node.";

/**
 * Asks the Secret Service whether it is there and unlocked, without the native libraries: those wait for minutes, hold
 * up the whole program, and take "locked" for "empty". Where Node cannot reach the bus nothing is known, and nothing
 * is thrown.
 *
 * @throws KeychainError `no_service`, `locked` or `timeout`
 */
export async function mustAnswer(deadline: number, env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const address =
    env.DBUS_SESSION_BUS_ADDRESS || (env.XDG_RUNTIME_DIR && `unix:path=${join(env.XDG_RUNTIME_DIR, "bus")}`);
  if (!address) throw absent("there is no D-Bus session: DBUS_SESSION_BUS_ADDRESS is not set");
  const socket = socketOf(address);
  if (socket === undefined) return;
  const abort = new AbortController();
  try {
    await within(
      deadline,
      () => ask(socket, abort.signal),
      () => late(deadline),
    );
  } finally {
    abort.abort();
  }
}

async function ask(socket: string, signal: AbortSignal): Promise<void> {
  using bus = await Bus.open(socket, signal).catch((error: unknown) => {
    throw absent("its D-Bus cannot be reached", error);
  });
  const collection = await defaultCollection(bus);
  const locked = await bus.call({
    destination: SERVICE,
    path: collection,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    arguments: ["org.freedesktop.Secret.Collection", "Locked"],
  });
  if (isTrue(answer(locked))) throw isLocked();
}

async function defaultCollection(bus: Bus): Promise<string> {
  for (let look = 0; look < LOOKS; look++) {
    const alias = await bus.call({
      destination: SERVICE,
      path: "/org/freedesktop/secrets",
      interface: "org.freedesktop.Secret.Service",
      member: "ReadAlias",
      arguments: ["default"],
    });
    const path = pathIn(answer(alias));
    if (path !== "/") return path;
    await pause(PAUSE); // gnome-keyring has none for a moment, now and then
  }
  throw absent("it has no default collection to save in");
}

function answer({ error, body }: Reply): Buffer {
  if (error === undefined) return body;
  throw absent(`D-Bus has none to offer (${error})`);
}

const pathIn = (body: Buffer): string => body.toString("utf8", 4, 4 + body.readUInt32LE(0));

/** A variant with a boolean. */
const isTrue = (body: Buffer): boolean => body.readUInt32LE(4) === 1;

const absent = (why: string, cause?: unknown): KeychainError =>
  new KeychainError("no_service", { place: PLACE, problem: `is not there: ${why}`, advice: START, cause });

const isLocked = (): KeychainError =>
  new KeychainError("locked", {
    place: PLACE,
    problem: "is locked",
    advice: "Unlock its default collection (log in to the desktop, or open a program such as Seahorse), and try again.",
  });

const late = (deadline: number): KeychainError =>
  new KeychainError("timeout", {
    place: PLACE,
    problem: `gave no answer within ${deadline} ms`,
    advice: "Restart it, or its D-Bus, and try again. Nothing that was saved is lost.",
  });
