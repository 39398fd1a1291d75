// An issuer of access tokens by oidc-provider, on a free port. Arguments: audience, scopes.
// Prints its address, then serves until standard input ends.
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair } from 'jose'
import Provider from 'oidc-provider'

const [audience, scope] = process.argv.slice(2)
const server = createServer().listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  const { privateKey } = await generateKeyPair('ES384', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'of-the-hospital', alg: 'ES384', use: 'sig' }
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'ehr', client_secret: 'made-up', grant_types: ['client_credentials'],
      redirect_uris: [], response_types: [],
    }],
    clientDefaults: { id_token_signed_response_alg: 'ES384' },
    enabledJWA: { idTokenSigningAlgValues: ['ES384'] },
    jwks: { keys: [key] },
    scopes: scope.split(' '),
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        getResourceServerInfo: () => ({
          scope, audience, accessTokenTTL: 300, accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES384' } },
        }),
      },
    },
  })
  server.on('request', provider.callback())
  console.log(issuer)
})
process.stdin.resume().on('end', () => process.exit(0))
