import { describe, expect, it } from "vitest";
import { isAboutRights, parseChallenges } from "../../src/http/challenge.ts";

describe("a challenge about rights, or about the user", () => {
  it.each([
    'Bearer error="insufficient_scope"',
    'Bearer error="insufficient_user_authentication", acr_values="myACR", max_age="5"',
    'Bearer realm="", authorization_uri="https://login.example", error="insufficient_claims", claims="eyJhIjp7fX0="',
    "bearer ERROR = Insufficient_Scope",
    'Bearer realm="a, b", error="insufficient_scope"',
    'Bearer realm="say \\"error=\\", or not", error="insufficient_scope"',
    'Bearer error="insufficient\\_scope"',
    'Basic realm="x", Bearer realm="y", error="insufficient_scope"',
    'Bearer error="insufficient_scope", Basic realm="x"',
    'Negotiate YIIG+a/b==, Bearer error="insufficient_scope"',
    'Negotiate, NTLM,, Bearer scope="a b" , error="insufficient_scope"',
    'Bearer error="insufficient_scope" error_description="no commas"',
    'Bearer realm="a", Bearer error="insufficient_scope"',
    'OAuth realm="the API\'s own name for it", error="insufficient_scope"',
  ])("is recognized: %s", (header) => {
    expect(isAboutRights(header)).toBe(true);
  });

  it.each([
    undefined,
    null,
    "",
    "Bearer",
    'Bearer error="invalid_token"',
    'Bearer error="invalid_token", error_description="not insufficient_scope, error=insufficient_scope"',
    'Bearer error_description="error=\\"insufficient_scope\\""',
    'Bearer realm="error=insufficient_scope"',
    'Basic realm=", Bearer error=insufficient_scope"',
    'Basic error="insufficient_scope", Bearer error="invalid_token"',
    'Basic error="insufficient_scope", Bearer realm="a"',
    'Bearer error="invalid_token", Bearer error="insufficient_scope"',
    "insufficient_scope",
    'error="insufficient_scope"',
    "Bearer insufficient_scope",
    'Bearer x_error="insufficient_scope"',
  ])("is not assumed: %s", (header) => {
    expect(isAboutRights(header)).toBe(false);
  });

  it.each(['"', '"\\', "a=", "a= ", "a ", '", "', "a=b=", "\\", "=", "a ="])(
    "takes linear time for a header that repeats %j",
    (part) => {
      const timeOf = (count: number) => {
        const start = performance.now();
        isAboutRights(`Bearer ${part.repeat(count)}`);
        return performance.now() - start;
      };
      timeOf(10_000); // compiled first
      expect(timeOf(100_000)).toBeLessThan(500); // quadratic: minutes
    },
  );
});

it("reads all parameters of each challenge", () => {
  const header =
    'Basic realm="a", Bearer error=invalid_token, SCOPE="a b", resource_metadata="https://x/\\"y\\"", scope="c"';
  expect(parseChallenges(header)).toEqual([
    { scheme: "basic", parameters: { realm: "a" } },
    { scheme: "bearer", parameters: { error: "invalid_token", scope: "c", resource_metadata: 'https://x/"y"' } },
  ]);
});

it("reads a parameter whose name every object has", () => {
  expect(parseChallenges("Bearer __proto__=a")[0]?.parameters).toHaveProperty("__proto__", "a");
  expect(parseChallenges("Bearer x=a")[0]?.parameters.constructor).toBeUndefined();
});
