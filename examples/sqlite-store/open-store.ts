import type { OpenStore } from "@unexpired/testing";
import { sqliteStore } from "./sqlite-store.ts";

export const openStore: OpenStore<string> = (path) => sqliteStore({ path });
