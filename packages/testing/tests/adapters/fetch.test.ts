import { describe, it } from "vitest";
import { describeAdapter } from "../../src/index.ts";
import { fetchHarness } from "./fetch-harness.ts";

describeAdapter({ describe, it }, fetchHarness);
