// A FHIR client that others wrote, through mutual TLS: fhir-kit-client, with
// undici's agent for the certificate. It reads what to do from standard input
// as JSON, and prints what it got.
import { readFileSync } from 'node:fs';
import { Agent, setGlobalDispatcher } from 'undici';
import { Client } from 'fhir-kit-client';

const task = JSON.parse(readFileSync(0, 'utf8'));
// Without a certificate it goes through an agent, which needs none.
if (task.cert) setGlobalDispatcher(new Agent({ connect: { cert: readFileSync(task.cert), key: readFileSync(task.key), ca: readFileSync(task.ca), minVersion: 'TLSv1.3' } }));

const client = new Client(task.token ? { baseUrl: task.base, bearerToken: task.token } : { baseUrl: task.base });
const out = {};

// refused notes how the client reports a refusal.
async function refused(call) {
  try {
    return { status: 200, data: await call() };
  } catch (err) {
    if (!err.response) throw err;
    return err.response;
  }
}

out.metadata = await client.capabilityStatement();
// The client asks for SMART's configuration and for the CapabilityStatement at
// once and takes what comes first: both name the token endpoint.
if (task.token) out.smart = await client.smartAuthMetadata();
out.search = await client.search({ resourceType: 'Patient', searchParams: { _count: 2 } });
out.pages = [out.search];
for (let page = out.search; (page = await client.nextPage({ bundle: page })) && out.pages.length < 20; ) out.pages.push(page);

const id = out.search.entry[0].resource.id;
out.read = await client.read({ resourceType: 'Patient', id });
out.observations = await client.search({
  resourceType: 'Observation',
  searchParams: { patient: id, _count: 3, _include: 'Observation:subject' },
  options: { postSearch: true },
});
const observation = out.observations.entry.map((e) => e.resource).find((r) => r.resourceType === 'Observation');
out.resolved = await client.resolve({ reference: observation.subject.reference });
out.batch = await client.batch({
  body: {
    resourceType: 'Bundle',
    type: 'batch',
    entry: [
      { request: { method: 'GET', url: `Patient/${id}` } },
      { request: { method: 'GET', url: `Observation?patient=${id}&_count=1` } },
      { request: { method: 'GET', url: 'Practitioner/somebody' } },
    ],
  },
});
out.refusedRead = await refused(() => client.read({ resourceType: 'Practitioner', id: 'somebody' }));
out.refusedWrite = await refused(() => client.create({ resourceType: 'Patient', body: { resourceType: 'Patient' } }));
console.log(JSON.stringify(out));
