import { describeAdapter } from "@unexpired/testing";
import axios from "axios";
import { describe, it } from "vitest";
import { commonJsHarness, fetchHarness, httpHarness } from "./harness.ts";

describe("through node:http", () => describeAdapter({ describe, it }, httpHarness));

describe("in CommonJS", () => describeAdapter({ describe, it }, commonJsHarness));

const hasFetch = !(axios.defaults.adapter instanceof Function); // axios 1.0 has only one transport, without a name
if (hasFetch) describe("through fetch", () => describeAdapter({ describe, it }, fetchHarness));
else it("works through fetch", ({ skip }) => skip("not applicable: this version of axios has no fetch transport"));
