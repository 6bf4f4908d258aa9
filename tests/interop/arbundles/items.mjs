// Items that the public package makes: many shapes of tags, targets, anchors
// and data, and loose forms that it takes although they are not canonical.

import { createHash, createPrivateKey, createPublicKey } from "node:crypto";
import { DataItem, HexSolanaSigner, SolanaSigner, createData } from "arbundles";
import bs58 from "bs58";

export const text = (bytes) => Buffer.from(bytes).toString("base64url");
export const bytes = (base64url) => Buffer.from(base64url, "base64url");
const sha256 = (data) => createHash("sha256").update(data).digest();

/** Data of a case: not stored, made by this rule on both sides. */
export function pattern(length) {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i++) data[i] = (i * 31 + (i >> 8) * 17 + 7) & 255;
  return data;
}

function publicKey(seed) {
  const prefix = Buffer.from("302e020100300506032b657004220420", "hex");
  const der = Buffer.concat([prefix, seed]);
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  return bytes(createPublicKey(key).export({ format: "jwk" }).x);
}

function signer(seed, Kind = SolanaSigner) {
  return new Kind(bs58.encode(Buffer.concat([seed, publicKey(seed)])));
}

/** Anchors are passed as bytes, targets as base64url. */
export async function make({ name, seed, target, anchor, tags, dataLength }) {
  const item = createData(pattern(dataLength), signer(seed), {
    tags,
    target: target ? text(target) : undefined,
    anchor: anchor ?? undefined,
  });
  await item.sign(signer(seed));
  const raw = item.getRaw();
  return {
    item,
    record: {
      name,
      seed: text(seed),
      target: target ? text(target) : null,
      anchor: anchor ? text(anchor) : null,
      tags,
      data_len: dataLength,
      head: text(raw.subarray(0, raw.length - dataLength)),
      id: item.id,
      owner: item.owner,
      address: text(sha256(item.rawOwner)),
    },
  };
}

const repeat = (n, tag) => Array.from({ length: n }, (_, i) => tag(i));
const tag = (name, value) => ({ name, value });

const SHAPES = {
  "no tags": [],
  "one tag": [tag("App-Name", "Lode")],
  "two tags of one name": [tag("Topic", "a"), tag("Topic", "b")],
  "bytes that are controls": [tag("n\u0000l", "tab\tline\nnul\u0000")],
  unicode: [tag("名前", "дата ✓ e\u0301 é"), tag("عنوان", "𝔏𝔬𝔡𝔢 🪙"), tag("\u{10ffff}", "\u0080\u07ff\u0800\uffff")],
  "63 bytes": [tag("n".repeat(63), "v".repeat(63))],
  "64 bytes": [tag("n".repeat(64), "v".repeat(64))],
  "65 bytes": [tag("n".repeat(65), "é".repeat(33))],
  "63 tags": repeat(63, (i) => tag(`n${i}`, `${i}`)),
  "64 tags": repeat(64, (i) => tag(`n${i}`, `${i}`)),
  "bundle tags": [tag("Bundle-Format", "binary"), tag("Bundle-Version", "2.0.0")],
};

const LARGE = {
  "128 tags": repeat(128, (i) => tag(`name-${i}`, `value ${i}`)),
  "name of 1024 bytes": [tag("n".repeat(1024), "v")],
  "value of 3072 bytes": [tag("n", "v".repeat(3072))],
  "4096 bytes of tags": [tag("n".repeat(1021), "v".repeat(3069))],
};

const LENGTHS = [0, 1, 31, 116, 256, 1000, 4096, 65535, 65536, 100 * 1024];

export function cases() {
  const list = [];
  const add = (shape, tags, withTarget, withAnchor) => {
    const number = list.length;
    const dataLength = LENGTHS[number % LENGTHS.length];
    list.push({
      name: `${shape}${withTarget ? ", target" : ""}${withAnchor ? ", anchor" : ""}, ${dataLength} bytes`,
      seed: sha256(`interop seed ${number % 5}`),
      target: withTarget ? sha256(`target ${number}`) : null,
      anchor: withAnchor ? sha256(`anchor ${number}`) : null,
      tags,
      dataLength,
    });
  };
  for (const [shape, tags] of Object.entries(SHAPES)) {
    for (const target of [false, true]) for (const anchor of [false, true]) add(shape, tags, target, anchor);
  }
  for (const [shape, tags] of Object.entries(LARGE)) add(shape, tags, true, true);
  return list;
}

const long = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};

/** An item whose fields are spelled by hand, signed over exactly those bytes. */
async function spelled({ target = [0], anchor = [0], count = 0, tagBytes = "", owner }) {
  const seed = sha256("interop loose");
  const tags = Buffer.from(tagBytes, "latin1");
  const raw = Buffer.concat([
    Buffer.from([2, 0]),
    Buffer.alloc(64),
    owner ?? publicKey(seed),
    Buffer.from(target),
    Buffer.from(anchor),
    long(count),
    long(tags.length),
    tags,
    Buffer.from("data"),
  ]);
  const item = new DataItem(raw);
  if (owner) raw.set([1], 2); // R is the neutral element, S is zero.
  else await item.sign(signer(seed));
  return raw;
}

/** Each with the flaw that Lode's decoder names. */
export async function loose() {
  const list = [];
  const add = async (name, flaw, fields) => {
    const raw = fields instanceof Uint8Array ? fields : await spelled(fields);
    list.push({ name, flaw, accepted_there: await DataItem.verify(raw), item: text(raw) });
  };
  const weak = Buffer.alloc(32);
  weak[0] = 1;
  const long1025 = "n".repeat(1025);
  await add("target presence byte 2", "Presence", { target: [2] });
  await add("anchor presence byte 255", "Presence", { anchor: [255] });
  await add("lone zero byte for no tags", "EmptyBlock", { tagBytes: "\x00" });
  await add("tag bytes for no tags", "Count", { tagBytes: "\x02\x02a\x02b\x00" });
  await add("over-long block count", "OverlongVarint", { count: 1, tagBytes: "\x82\x00\x02a\x02b\x00" });
  await add("over-long length", "OverlongVarint", { count: 1, tagBytes: "\x02\x82\x00a\x02b\x00" });
  await add("over-long end", "OverlongVarint", { count: 1, tagBytes: "\x02\x02a\x02b\x80\x00" });
  await add("negative block", "NegativeBlock", { count: 1, tagBytes: "\x01\x08\x02a\x02b\x00" });
  await add("two blocks", "Count", { count: 2, tagBytes: "\x02\x02a\x02b\x02\x02c\x02d\x00" });
  await add("junk after the end", "Trailing", { count: 1, tagBytes: "\x02\x02a\x02b\x00junk" });
  await add("empty name", "EmptyName", { count: 1, tagBytes: "\x02\x00\x02b\x00" });
  await add("empty value", "EmptyValue", { count: 1, tagBytes: "\x02\x02a\x00\x00" });
  await add("value that is not UTF-8", "ValueNotUtf8", { count: 1, tagBytes: "\x02\x02a\x02\xff\x00" });
  await add("129 tags", "TooMany", { count: 129, tagBytes: "\x82\x02" + "\x02n\x02v".repeat(129) + "\x00" });
  await add("name of 1025 bytes", "NameTooLong", { count: 1, tagBytes: `\x02\x82\x10${long1025}\x02v\x00` });
  await add("wrong tag count", "Count", { count: 2, tagBytes: "\x02\x02a\x02b\x00" });
  await add("no end of the tags", "Truncated", { count: 1, tagBytes: "\x02\x02a\x02b" });
  await add("owner of small order", "SmallOrder", { owner: weak });

  const seed = sha256("interop loose");
  const hexadecimal = createData("data", signer(seed, HexSolanaSigner), { tags: [] });
  await hexadecimal.sign(signer(seed, HexSolanaSigner));
  await add("signature type 4", "SignatureType", hexadecimal.getRaw());
  return list;
}
