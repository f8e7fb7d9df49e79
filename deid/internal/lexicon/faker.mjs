// Prints the names of all locales of @faker-js/faker (MIT) as JSON:
// node faker.mjs FOLDER/faker/package/dist/index.js > FOLDER/faker.json
const { allLocales } = await import(process.argv[2]);
const out = { first: new Set(), female: new Set(), male: new Set(), last: new Set(), city: new Set() };
const add = (set, list) => {
  for (const v of Array.isArray(list) ? list : Object.values(list ?? {}).flat()) {
    const s = typeof v === 'string' ? v : v?.value;
    if (typeof s === 'string') set.add(s);
  }
};
for (const [name, l] of Object.entries(allLocales)) {
  if (name === 'en_BORK' || name === 'base') continue;
  const p = l.person ?? {};
  add(out.first, p.first_name?.generic);
  add(out.female, p.first_name?.female);
  add(out.male, p.first_name?.male);
  add(out.last, p.last_name);
  add(out.city, l.location?.city_name);
}
console.log(JSON.stringify(Object.fromEntries(Object.entries(out).map(([k, v]) => [k, [...v].sort()]))));
