// The official provider for servers against the service: every type, the errors, and a token.
import assert from "node:assert/strict";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";

const [url, token, flags] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const headers = [["Authorization", `Bearer ${token}`]];
await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers }));
const client = OpenFeature.getClient();

const john = { targetingKey: "john" };
const methods = { boolean: "Boolean", string: "String", number: "Number", object: "Object" };
const defaults = { boolean: false, string: "code", number: 99, object: { code: 1 } };

for (const [key, [, ofJane, ofJohn]] of Object.entries(flags)) {
  const method = methods[typeof ofJohn];
  const evaluate = (context) => client[`get${method}Details`](key, defaults[typeof ofJohn], context);
  const found = await evaluate(john);
  assert.deepEqual(found.value, ofJohn);
  assert.equal(found.reason, "TARGETING_MATCH");
  assert.match(found.variant, /^rule:\d+$/);
  assert.equal(found.variant, `rule:${found.flagMetadata.ruleId}`);
  assert.equal(found.flagMetadata.settingVersion, "1.0");
  assert.equal(found.errorCode, undefined);
  const other = await evaluate({ targetingKey: "jane" });
  assert.deepEqual([other.value, other.reason, other.variant], [ofJane, "DEFAULT", "default"]);
}

const missing = await client.getBooleanDetails("a_boolean", true);
assert.deepEqual([missing.value, missing.errorCode], [true, "TARGETING_KEY_MISSING"]);
const unknown = await client.getBooleanDetails("unknown", true, john);
assert.deepEqual([unknown.value, unknown.errorCode], [true, "FLAG_NOT_FOUND"]);
const mismatch = await client.getStringDetails("a_boolean", "code", john);
assert.deepEqual([mismatch.value, mismatch.errorCode], ["code", "TYPE_MISMATCH"]);

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers: [["Authorization", "Bearer hkl_no"]] }));
const refused = await client.getBooleanDetails("a_boolean", true, john);
assert.deepEqual([refused.value, refused.reason], [true, "ERROR"]);
await OpenFeature.close();
console.log("passed");
