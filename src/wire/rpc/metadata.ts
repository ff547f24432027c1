/** Names in lower case; the values of a name that ends in `-bin` are bytes, of any other printable ASCII. */
export type Metadata = readonly (readonly [name: string, value: string | Uint8Array])[];

const NAME = /^[0-9a-z_.-]+$/;
const VALUE = /^[ -~]*$/;

/** What the protocol itself says in fields, and no caller's metadata. */
const OWN: ReadonlySet<string> = new Set(['content-type', 'te', 'content-length']);

/** The caller's own metadata among the fields of a request. A `-bin` value that is no base64 is as much as can be read. */
export function readMetadata(fields: readonly string[]): Metadata {
  const metadata: [string, string | Uint8Array][] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!;
    const value = fields[i + 1]!;
    if (OWN.has(name) || name.startsWith('grpc-')) continue;
    if (!name.endsWith('-bin')) metadata.push([name, value]);
    // Several values may be one, joined by commas.
    else for (const one of value.split(',')) metadata.push([name, Buffer.from(one.trim(), 'base64')]);
  }
  return metadata;
}

/** As header fields. Throws for a name or a value that may not be one, and for names that are the protocol's. */
export function metadataFields(metadata: Metadata): string[] {
  const fields: string[] = [];
  for (const [name, value] of metadata) {
    const own = name === 'grpc-status-details-bin' ? false : OWN.has(name) || name.startsWith('grpc-');
    if (own || !NAME.test(name)) throw new TypeError(`metadata may not be called ${JSON.stringify(name)}`);
    if (typeof value === 'string') {
      if (name.endsWith('-bin')) throw new TypeError(`metadata ${name} is of bytes`);
      if (!VALUE.test(value)) throw new TypeError(`the value of metadata ${name} is not printable ASCII`);
      fields.push(name, value.trim());
    } else {
      if (!name.endsWith('-bin')) throw new TypeError(`metadata ${name} is of text`);
      fields.push(name, Buffer.from(value).toString('base64').replace(/=+$/, ''));
    }
  }
  return fields;
}
