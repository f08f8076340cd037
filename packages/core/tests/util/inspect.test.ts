import { inspect } from "node:util";
import { expect, it } from "vitest";
import { printAs, requestView } from "../../src/adapter.ts";

it("a view has the method, the URL and the status, and nothing else", () => {
  const request = { method: "get", url: "https://api.example.com/", status: 401, headers: { authorization: "it" } };
  expect(requestView(request)).toEqual({ method: "GET", url: "https://api.example.com/", status: 401 });
  expect(Object.isFrozen(requestView(request))).toBe(true);
});

it("takes the place of the request in an error and in its response", () => {
  const request = { headers: { authorization: "it" } };
  const error = { request, response: { request, status: 401 } };
  const view = requestView({ url: "https://api.example.com/", status: 401 }, error);
  expect(error).toEqual({ request: view, response: { request: view, status: 401 } });
  expect(view.method).toBe("GET");
  const frozen = Object.freeze({ request }); // of a transport of somebody's own
  expect(() => requestView({ url: "https://api.example.com/" }, frozen)).not.toThrow();
  const without = { response: undefined };
  requestView({ url: "https://api.example.com/" }, without);
  expect(Object.keys(without)).toEqual(["response"]);
});

it("an object prints as something else, and stays what it is", () => {
  const options = { url: "/", agent: { sockets: "it" } };
  const printing = printAs(options, () => ({ url: options.url }));
  expect(printing).toBe(options);
  expect(inspect({ options }, { depth: null })).toBe("{ options: { url: '/' } }");
  expect(JSON.stringify({ options })).toBe('{"options":{"url":"/"}}');
  expect(Object.keys(options)).toEqual(["url", "agent"]);
  printAs(options, () => "once more"); // a request that is sent again
  expect(inspect(options)).toBe("once more");
});

it.each([undefined, "text", Object.freeze({ a: 1 })])("%j stays as it is", (given) => {
  expect(printAs(given, () => "other")).toBe(given);
  expect(JSON.stringify({ given })).not.toContain("other");
});
