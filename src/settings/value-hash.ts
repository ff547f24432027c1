import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { SettingsError } from './read-settings.ts';
import type { Settings } from './settings.ts';

const SHOWN_BYTES = 16;

/**
 * What stands in a counter key, a metric and a log for a value whose rule has `hash_value`: 128 bits of its HMAC-SHA-256
 * (RFC 2104), 22 characters. Null without a secret. Throws SettingsError when its file can't be read.
 */
export function valueHash({ hashSecret, hashSecretFile }: Settings): ((value: string) => string) | null {
  const secret = hashSecretFile === null ? hashSecret : secretIn(hashSecretFile);
  if (secret === null) return null;
  // UTF-16 tells lone surrogates apart, which UTF-8 would make one.
  return (value) =>
    createHmac('sha256', secret).update(value, 'utf16le').digest().subarray(0, SHOWN_BYTES).toString('base64url');
}

function secretIn(file: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret !== '') return secret;
  } catch (error) {
    throw new SettingsError([`HASH_VALUE_SECRET_FILE can't be read: ${(error as NodeJS.ErrnoException).code}`]);
  }
  throw new SettingsError(['HASH_VALUE_SECRET_FILE is empty']);
}
