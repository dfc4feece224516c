import assert from "node:assert/strict";
import { test } from "node:test";
import { signV4 } from "./aws-sign.ts";

const CREDENTIALS = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: null,
};
const SCOPE = { region: "us-east-1", service: "service", atMs: Date.UTC(2015, 7, 30, 12, 36, 0) };
const REQUEST = {
  method: "GET",
  host: "example.amazonaws.com",
  path: "/",
  query: "",
  headers: [],
  body: Buffer.alloc(0),
};

function authorizationOf(...of: Parameters<typeof signV4>): string {
  const headers = signV4(...of);
  return headers[headers.indexOf("authorization") + 1] ?? "";
}

// Vectors of AWS's own suite, awslabs/aws-c-auth tests/aws-signing-test-suite/v4, by the names of their folders.
const VECTORS = [
  {
    name: "get-vanilla-query-order-key-case",
    change: { query: "Param2=value2&Param1=value1" },
    signed: "host;x-amz-date",
    signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  },
  {
    name: "get-utf8",
    change: { path: "/ሴ" },
    signed: "host;x-amz-date",
    signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
  },
  {
    name: "get-space-normalized",
    change: { path: "/example space/" },
    signed: "host;x-amz-date",
    signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
  },
  {
    name: "post-vanilla",
    change: { method: "POST" },
    signed: "host;x-amz-date",
    signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  },
  {
    name: "post-x-www-form-urlencoded",
    change: {
      method: "POST",
      body: Buffer.from("Param1=value1"),
      headers: [
        "content-type",
        "application/x-www-form-urlencoded",
        "content-length",
        "13",
        "x-amz-content-sha256",
        "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
      ],
    },
    signed: "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
    signature: "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b",
  },
];

for (const { name, change, signed, signature } of VECTORS) {
  test(`AWS's vector ${name}`, () => {
    const said = authorizationOf({ ...REQUEST, ...change }, CREDENTIALS, SCOPE);
    const credential = "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
    assert.equal(said, `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${signed}, Signature=${signature}`);
  });
}

test("AWS's vector get-vanilla-with-session-token", () => {
  const sessionToken = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
  const headers = signV4(REQUEST, { ...CREDENTIALS, sessionToken }, SCOPE);
  assert.deepEqual(headers.slice(0, 4), ["x-amz-date", "20150830T123600Z", "x-amz-security-token", sessionToken]);
  assert.ok(headers[5]?.endsWith("Signature=07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"));
});

test("the example of AWS's guide, with a query and a content-type", () => {
  // AWS General Reference, "Signature Version 4 signing process": IAM's ListUsers.
  const request = {
    ...REQUEST,
    host: "iam.amazonaws.com",
    query: "Action=ListUsers&Version=2010-05-08",
    headers: ["content-type", "application/x-www-form-urlencoded; charset=utf-8"],
  };
  const said = authorizationOf(request, CREDENTIALS, { ...SCOPE, service: "iam" });
  assert.ok(said.includes("SignedHeaders=content-type;host;x-amz-date"), said);
  assert.ok(said.endsWith("Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"), said);
});
