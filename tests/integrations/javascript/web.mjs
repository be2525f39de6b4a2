// The official provider for browsers against the service: all flags at once, a new context, and changes by the stream.
import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, ProviderEvents } from "@openfeature/web-sdk";
import { EventSource } from "eventsource";

globalThis.EventSource = EventSource; // browsers have it

const [url, token, flags] = [process.argv[2], process.argv[3], JSON.parse(process.argv[4])];
const headers = [["Authorization", `Bearer ${token}`]];
const statuses = [];
const counting = async (...request) => {
  const response = await fetch(...request);
  statuses.push(response.status);
  return response;
};
await OpenFeature.setContext({ targetingKey: "john" });
const provider = new OFREPWebProvider({ baseUrl: url, headers, fetchImplementation: counting, cacheMode: "disabled" });
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();

const methods = { boolean: "Boolean", string: "String", number: "Number", object: "Object" };
const defaults = { boolean: false, string: "code", number: 99, object: { code: 1 } };
const details = (key, of) => client[`get${methods[typeof of]}Details`](key, defaults[typeof of]);

for (const [key, [, , ofJohn]] of Object.entries(flags)) {
  const found = details(key, ofJohn);
  assert.deepEqual([found.value, found.reason], [ofJohn, "TARGETING_MATCH"]);
}
assert.equal(client.getBooleanDetails("hidden", true).errorCode, "FLAG_NOT_FOUND");

await OpenFeature.setContext({ targetingKey: "jane" });
for (const [key, [, ofJane]] of Object.entries(flags)) {
  assert.deepEqual(details(key, ofJane).value, ofJane);
}
await OpenFeature.setContext({});
assert.equal(client.getBooleanDetails("a_boolean", true).errorCode, "TARGETING_KEY_MISSING");
await OpenFeature.setContext({ targetingKey: "john" });
await provider._fetchFlags(OpenFeature.getContext());
assert.equal(statuses.at(-1), 304);

const changed = new Promise((resolve) => {
  client.addHandler(ProviderEvents.ConfigurationChanged, (event) => event.flagsChanged.length && resolve(event.flagsChanged));
});
console.log("ready"); // the test changes an_integer for john now
const lines = createInterface({ input: process.stdin });
assert.deepEqual(await changed, ["an_integer"]);
assert.equal(client.getNumberValue("an_integer", 0), 3);
lines.close();
await OpenFeature.close();
console.log("passed");
process.exit(0);
