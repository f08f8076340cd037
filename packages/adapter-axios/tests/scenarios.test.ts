import { describeAdapter } from "@unexpired/testing";
import axios from "axios";
import { describe, it } from "vitest";
import { fetchHarness, httpHarness } from "./harness.ts";

describe("through node:http", () => describeAdapter({ describe, it }, httpHarness));

const hasFetch = !(axios.defaults.adapter instanceof Function); // axios 1.0 has one transport, and no name for it
if (hasFetch) describe("through fetch", () => describeAdapter({ describe, it }, fetchHarness));
else it("through fetch", ({ skip }) => skip("not applicable: this version of axios has no such transport"));
