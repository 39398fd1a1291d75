// Medplum's client against a running service: creates, reads, searches, updates and patches a
// response, first as a draft. Standard input: {base, key, draft}. Prints what each call returned.
import { readFileSync } from 'node:fs';

globalThis.WebSocket ??= class {}; // Medplum asks for it when it is loaded, and never uses it here
const { MedplumClient, OperationOutcomeError } = await import('@medplum/core');

const given = JSON.parse(readFileSync(0, 'utf8'));
const client = new MedplumClient({
  baseUrl: given.base,
  fhirUrlPath: 'fhir',
  cacheTime: 0,
  fetch: (url, options) =>
    fetch(url, { ...options, headers: { ...options.headers, 'X-API-Key': given.key } }),
});
const KIND = 'QuestionnaireResponse';
const ifMatch = (resource) => ({ headers: { 'If-Match': `W/"${resource.meta.versionId}"` } });

const draft = await client.createResource(given.draft);
const read = await client.readResource(KIND, draft.id);
const completed = await client.updateResource({ ...read, status: 'completed' }, ifMatch(read));
const patch = [{ op: 'add', path: '/language', value: 'de' }];
const patched = await client.patchResource(KIND, draft.id, patch, ifMatch(completed));
const number = given.draft.subject.identifier;
const query = { 'patient:identifier': `${number.system}|${number.value}`, _sort: '-_lastUpdated' };
const found = await client.searchResources(KIND, query);
const observation = await client.readReference({ reference: `Observation/${draft.id}` });
const patients = await client.searchResources('Patient', {
  identifier: `${number.system}|${number.value}`,
});
const batch = await client.executeBatch({
  resourceType: 'Bundle',
  type: 'batch',
  entry: [{ request: { method: 'GET', url: `${KIND}/${draft.id}` } }],
});
const refused = await client
  .createResource({ ...given.draft, status: 'stopped' })
  .catch((error) => error);
console.log(JSON.stringify({
  versions: [draft, read, completed, patched].map((each) => each.meta.versionId),
  found: found.map((each) => each.id),
  id: draft.id,
  total: observation.valueInteger ?? observation.valueQuantity?.value,
  patients: patients.map((each) => each.identifier[0].value),
  batch: batch.entry.map((each) => each.response.status),
  refused: refused instanceof OperationOutcomeError && refused.outcome.issue[0].expression,
}));
