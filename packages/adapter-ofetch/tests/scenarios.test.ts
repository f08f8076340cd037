import { test } from "vitest";
import { coreScenarios, inWorld } from "../../../tests/support/adapter-scenarios.ts";
import { originScenarios } from "../../../tests/support/origin-scenarios.ts";
import { ofetchHarness } from "./harness.ts";

for (const { name, run } of [...coreScenarios, ...originScenarios]) test(name, inWorld(ofetchHarness, run));
