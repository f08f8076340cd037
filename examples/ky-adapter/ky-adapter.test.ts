import { describeAdapter } from "@unexpired/testing";
import { describe, it } from "vitest";
import { harness } from "./harness.ts";

describeAdapter({ describe, it }, harness);
