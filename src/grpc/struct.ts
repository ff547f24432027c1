import type { Json, JsonObject } from '../core/ruleset.ts';
import type { Writer } from './writer.ts';

/**
 * Objects and lists inside one another. Protobuf parsers stop at 100 nested messages and an object takes three, so
 * Envoy would refuse an answer with more and then let the request pass: what lies deeper is sent as null.
 */
export const MAX_STRUCT_DEPTH = 32;

const FIELDS = 0x0a;
const ENTRY_KEY = 0x0a;
const ENTRY_VALUE = 0x12;
const NULL_VALUE = 0x08;
const NUMBER_VALUE = 0x11;
const STRING_VALUE = 0x1a;
const BOOL_VALUE = 0x20;
const STRUCT_VALUE = 0x2a;
const LIST_VALUE = 0x32;
const LIST_VALUES = 0x0a;

/** The fields of a google.protobuf.Struct. */
export function writeStruct(writer: Writer, object: JsonObject, depth = 1): void {
  for (const key of Object.keys(object)) {
    writer.byte(FIELDS);
    const entry = writer.open();
    writer.text(ENTRY_KEY, key);
    writer.byte(ENTRY_VALUE);
    const value = writer.open();
    writeValue(writer, object[key]!, depth);
    writer.close(value);
    writer.close(entry);
  }
}

/** The one field of a google.protobuf.Value. Zeros are written too: a field of a oneof is there or not. */
function writeValue(writer: Writer, value: Json, depth: number): void {
  if (typeof value === 'string') {
    writer.text(STRING_VALUE, value);
  } else if (typeof value === 'number') {
    writer.byte(NUMBER_VALUE);
    writer.double(value);
  } else if (typeof value === 'boolean') {
    writer.byte(BOOL_VALUE);
    writer.byte(value ? 1 : 0);
  } else if (value === null || depth >= MAX_STRUCT_DEPTH) {
    writer.byte(NULL_VALUE);
    writer.byte(0);
  } else {
    const isList = Array.isArray(value);
    writer.byte(isList ? LIST_VALUE : STRUCT_VALUE);
    const nested = writer.open();
    if (isList) writeList(writer, value, depth + 1);
    else writeStruct(writer, value as JsonObject, depth + 1);
    writer.close(nested);
  }
}

function writeList(writer: Writer, values: readonly Json[], depth: number): void {
  for (const value of values) {
    writer.byte(LIST_VALUES);
    const mark = writer.open();
    writeValue(writer, value, depth);
    writer.close(mark);
  }
}
