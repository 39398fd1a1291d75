// A SMART client by oauth4webapi: discovers the server, signs in, asks for a resource.
// Standard input: {base, client, key (private JWK), scope, path}. Prints {scope, life, status}.
import { readFileSync } from 'node:fs'
import { importJWK } from 'jose'
import * as oauth from 'oauth4webapi'

const given = JSON.parse(readFileSync(0, 'utf8'))
const insecure = { [oauth.allowInsecureRequests]: true }
const issuer = new URL(given.base.replace(/\/fhir$/, ''))
const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
const server = await oauth.processDiscoveryResponse(issuer, found)
const key = await importJWK(given.key, given.key.alg)
const proof = oauth.PrivateKeyJwt({ key, kid: given.key.kid })
const client = { client_id: given.client }
const answer = await oauth.clientCredentialsGrantRequest(
  server, client, proof, new URLSearchParams({ scope: given.scope }), insecure)
const token = await oauth.processClientCredentialsResponse(server, client, answer)
const read = await oauth.protectedResourceRequest(
  token.access_token, 'GET', new URL(`${given.base}/${given.path}`), undefined, undefined, insecure)
console.log(JSON.stringify({ scope: token.scope, life: token.expires_in, status: read.status }))
