import { describeAdapter } from "@unexpired/testing";
import { describe, it } from "vitest";
import { ofetchHarness } from "./harness.ts";

describeAdapter({ describe, it }, ofetchHarness);
