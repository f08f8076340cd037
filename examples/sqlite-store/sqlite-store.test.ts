import { describeTokenStore } from "@unexpired/testing";
import { describe, it } from "vitest";
import { harness } from "./harness.ts";

describeTokenStore({ describe, it }, harness);
