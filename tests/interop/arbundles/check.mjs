// node check.mjs make DIR     writes theirs.json and theirs.bundle, made by the public package
// node check.mjs verify DIR   reads ours.json and ours.bundle, made by Lode, with the public package

import { createHash } from "node:crypto";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { Bundle, DataItem, bundleAndSignData } from "arbundles";
import processStream from "arbundles/stream";
import { bytes, cases, loose, make, pattern, text } from "./items.mjs";

const [, , mode, folder] = process.argv;
const version = JSON.parse(readFileSync(new URL("package.json", import.meta.url))).dependencies.arbundles;
let passed = 0;
let failed = 0;

function check(what, holds) {
  if (holds) passed += 1;
  else {
    failed += 1;
    console.error(`failed: ${what}`);
  }
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
const refuses = (promise) => promise.then((result) => result === false, () => true);

async function makeTheirs() {
  const made = [];
  for (const fields of cases()) made.push(await make(fields));
  const bundle = await bundleAndSignData(made.map(({ item }) => item));
  const raw = bundle.getRaw();
  const file = {
    made_by: `arbundles ${version}`,
    items: made.map(({ record }) => record),
    bundle: { size_bytes: raw.length, sha256: text(createHash("sha256").update(raw).digest()) },
    loose: await loose(),
  };
  writeFileSync(join(folder, "theirs.bundle"), raw);
  writeFileSync(join(folder, "theirs.json"), `${JSON.stringify(file, null, 1)}\n`);
}

async function checkItem(record) {
  const raw = Buffer.concat([bytes(record.head), pattern(record.data_len)]);
  const item = new DataItem(raw);
  check(`${record.name}: signature`, await DataItem.verify(raw));
  check(`${record.name}: id`, item.id === record.id);
  check(`${record.name}: owner`, item.owner === record.owner);
  check(`${record.name}: target`, item.target === (record.target ?? ""));
  check(`${record.name}: anchor`, item.anchor === (record.anchor ?? ""));
  check(`${record.name}: tags`, same(item.tags, record.tags));
  check(`${record.name}: data`, Buffer.compare(item.rawData, pattern(record.data_len)) === 0);
  const { record: theirs } = await make({
    name: record.name,
    seed: bytes(record.seed),
    target: record.target && bytes(record.target),
    anchor: record.anchor && bytes(record.anchor),
    tags: record.tags,
    dataLength: record.data_len,
  });
  check(`${record.name}: they write the same bytes`, same(theirs, record));
  const changed = Buffer.from(raw);
  changed[changed.length - 1] ^= 1;
  check(`${record.name}: a changed byte is refused`, await refuses(DataItem.verify(changed)));
}

async function verifyOurs() {
  const file = JSON.parse(readFileSync(join(folder, "ours.json")));
  for (const record of file.items) await checkItem(record);

  const path = join(folder, "ours.bundle");
  const raw = readFileSync(path);
  check("bundle: every item", await new Bundle(raw).verify());
  const items = await processStream(createReadStream(path));
  check("bundle: number of items", items.length === file.items.length);
  for (const [i, record] of file.items.entries()) {
    const item = items[i];
    check(`bundle, ${record.name}: id`, item.id === record.id);
    check(`bundle, ${record.name}: owner`, item.owner === record.owner);
    check(`bundle, ${record.name}: target`, item.target === (record.target ?? ""));
    check(`bundle, ${record.name}: anchor`, item.anchor === (record.anchor ?? ""));
    check(`bundle, ${record.name}: tags`, same(item.tags, record.tags));
    const data = raw.subarray(item.dataOffset, item.dataOffset + item.dataSize);
    check(`bundle, ${record.name}: data`, Buffer.compare(data, pattern(record.data_len)) === 0);
  }
  const changed = Buffer.from(raw);
  changed[64] ^= 1;
  check("bundle: a changed id is refused", await refuses(processStream(Readable.from([changed]))));
}

if (mode === "make") await makeTheirs();
else if (mode === "verify") {
  await verifyOurs();
  console.log(`arbundles ${version} reads ours: ${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
} else {
  console.error("usage: node check.mjs make|verify DIR");
  process.exitCode = 2;
}
