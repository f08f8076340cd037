import { inspect } from "node:util";
import { expect, it } from "vitest";
import { redactRequest, setInspectView } from "../../src/adapter.ts";

it("shows only the method, the URL and the status of a request", () => {
  const request = { method: "get", url: "https://api.example.com/", status: 401, headers: { authorization: "it" } };
  expect(redactRequest(request)).toEqual({ method: "GET", url: "https://api.example.com/", status: 401 });
  expect(Object.isFrozen(redactRequest(request))).toBe(true);
});

it("replaces the request in an error and in its response", () => {
  const request = { headers: { authorization: "it" } };
  const error = { request, response: { request, status: 401 } };
  const view = redactRequest({ url: "https://api.example.com/", status: 401 }, error);
  expect(error).toEqual({ request: view, response: { request: view, status: 401 } });
  expect(view.method).toBe("GET");
  const frozen = Object.freeze({ request }); // of a custom transport
  expect(() => redactRequest({ url: "https://api.example.com/" }, frozen)).not.toThrow();
  const without = { response: undefined };
  redactRequest({ url: "https://api.example.com/" }, without);
  expect(Object.keys(without)).toEqual(["response"]);
});

it("changes how an object is printed, but not the object", () => {
  const options = { url: "/", agent: { sockets: "it" } };
  const printing = setInspectView(options, () => ({ url: options.url }));
  expect(printing).toBe(options);
  expect(inspect({ options }, { depth: null })).toBe("{ options: { url: '/' } }");
  expect(JSON.stringify({ options })).toBe('{"options":{"url":"/"}}');
  expect(Object.keys(options)).toEqual(["url", "agent"]);
  setInspectView(options, () => "once more"); // a request that is sent again
  expect(inspect(options)).toBe("once more");
});

it.each([undefined, "text", Object.freeze({ a: 1 })])("leaves %j unchanged", (given) => {
  expect(setInspectView(given, () => "other")).toBe(given);
  expect(JSON.stringify({ given })).not.toContain("other");
});
