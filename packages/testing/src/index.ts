export { adapterCases } from "./adapters/adapter-cases.ts";
export type { AdapterCase } from "./adapters/cases/case.ts";
export { describeAdapter, runAdapterCase } from "./adapters/describe-adapter.ts";
export type {
  AdapterHarness,
  Body,
  BodyKind,
  Call,
  Client,
  ClientSetup,
  Feature,
  Outcome,
} from "./adapters/harness.ts";
export {
  accepting,
  type Received,
  type Reply,
  type ResourceServer,
  type Responder,
  startResourceServer,
  UNAUTHORIZED,
} from "./adapters/resource-server.ts";
export type { AdapterScene } from "./adapters/scene.ts";
export { CANARY, type Session, type SessionOptions, startSession } from "./adapters/session.ts";
export { type Clause, ConformanceError } from "./contract.ts";
export type { Verdict } from "./families.ts";
export type { FormatCase, FormatRequirement } from "./formats/cases/case.ts";
export { describeSessionFormat, runFormatCase } from "./formats/describe-session-format.ts";
export { formatCases } from "./formats/format-cases.ts";
export type { FormatDocument, FormatField, FormatHarness, UnreadableText } from "./formats/harness.ts";
export { type Fault, type Issuer, type IssuerOptions, type IssuerRequest, startIssuer } from "./issuer.ts";
export type { Runner } from "./runner.ts";
export type { Requirement, StoreCase } from "./stores/cases/case.ts";
export { describeTokenStore, runCase } from "./stores/describe-token-store.ts";
export { type ForkOptions, fork, type Remote } from "./stores/fork.ts";
export type { OpenStore, Restore, StoreFixture, StoreHarness, StoreModule } from "./stores/harness.ts";
export type { StoreOptions, StoreScene } from "./stores/scene.ts";
export { storeCases } from "./stores/store-cases.ts";
export type { Task } from "./stores/tasks.ts";
export { settle, VirtualClock } from "./virtual-clock.ts";
