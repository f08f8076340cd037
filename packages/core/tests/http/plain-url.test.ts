import { expect, it } from "vitest";
import { plainUrlOf } from "../../src/http/plain-url.ts";

const BASE = "https://api.example.com/v1";

it.each<[url: unknown, baseURL: string | undefined, expected: string | undefined]>([
  [`${BASE}/things?a=1#b`, undefined, `${BASE}/things?a=1#b`],
  [`${BASE}/things`, BASE, `${BASE}/things`],
  [`${BASE}/things`, `${BASE}/`, `${BASE}/things`],
  ["HTTPS://api.example.com/v1", undefined, BASE],
  ["/things?a=1", BASE, `${BASE}/things?a=1`],
  ["/things", `${BASE}/`, `${BASE}/things`],
  ["/../things", BASE, "https://api.example.com/things"],
  [`${BASE}.evil.example/things`, BASE, undefined],
  ["https://other.example/", BASE, undefined],
  [BASE, BASE, undefined],
  ["things", BASE, undefined],
  ["/", BASE, undefined],
  ["", BASE, undefined],
  ["//other.example/things", BASE, undefined],
  ["/things", undefined, undefined],
  ["/things", "/v1", undefined],
  ["/things", "", undefined],
  ["/things", "/", undefined],
  ["/things", `${BASE}//`, undefined],
  ["/things", `${BASE}?key=1`, undefined],
  ["/things", `${BASE}#top`, undefined],
  ["https://", undefined, undefined],
  [new URL(BASE), undefined, undefined],
  [undefined, BASE, undefined],
])("plainUrlOf(%j, %j) is %j", (url, baseURL, expected) => {
  expect(plainUrlOf(url, baseURL)?.href).toBe(expected);
});
