// The main job with openapi-fetch, typed by openapi-typescript: token, score, store, read, report.
import createClient from "openapi-fetch";
import { readFileSync } from "node:fs";
import type { components, paths } from "./openapi_typescript_made.js";

const intake = JSON.parse(readFileSync(process.env.CONTRACT_INTAKE!, "utf8")) as
  components["schemas"]["NociplasticIntakeV2"];
const service = createClient<paths>({ baseUrl: process.env.CONTRACT_SERVICE! });

const signIn = await service.POST("/v1/oauth/token", {
  body: JSON.parse(process.env.CONTRACT_TOKEN_FORM!),
  bodySerializer: (form) => new URLSearchParams(form as Record<string, string>),
  headers: { "Content-Type": "application/x-www-form-urlencoded" },
});
const token = signIn.data!.access_token;
service.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
});

const scored = await service.POST("/v1/score", { body: intake });
const created = await service.POST("/v1/screenings", {
  body: { ...intake, patient: { reference: "MADE-4" } },
});
if (created.error || scored.error) {
  throw new Error(JSON.stringify(created.error ?? scored.error));
}
const screening = { path: { screening: created.data.id! } };
const stored = await service.GET("/v1/screenings/{screening}", { params: screening });
const report = await service.GET("/v1/screenings/{screening}/report", {
  params: screening,
  parseAs: "arrayBuffer",
});
const first = new TextDecoder("latin1").decode(report.data as ArrayBuffer).slice(0, 4);
if (JSON.stringify(scored.data) !== JSON.stringify(stored.data?.assessment) || first !== "%PDF") {
  throw new Error("what was stored is not what was scored");
}
console.log(stored.data?.assessment.status);
