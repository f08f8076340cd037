import { describeAdapter } from "@unexpired/testing";
import { describe, it } from "vitest";
import { gotHarness } from "./harness.ts";

describeAdapter({ describe, it }, gotHarness);
