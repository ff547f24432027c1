import { REQUEST_BOUNDS } from '../../core/request.ts';
import { RPC_BOUNDS } from '../../wire/rpc/bounds.ts';
import { integerBetween } from '../go-values.ts';
import { atLeastOne, duration, inGroup, setting } from '../setting.ts';

export const REQUESTS = inGroup('Limits on requests', {
  maxLoopLagMs: duration(
    'MAX_LOOP_LAG',
    '2s',
    'When the event loop is later than this, calls are RESOURCE_EXHAUSTED instead of queueing. 0 is off.',
  ),
  maxMessageBytes: setting(
    'MAX_MESSAGE_BYTES',
    'bytes',
    RPC_BOUNDS.maxMessageBytes,
    atLeastOne,
    'A larger message is RESOURCE_EXHAUSTED on gRPC, 413 on /json.',
  ),
  maxDescriptors: setting(
    'MAX_DESCRIPTORS',
    'number',
    REQUEST_BOUNDS.maxDescriptors,
    atLeastOne,
    'Descriptors in a request.',
  ),
  maxEntries: setting('MAX_ENTRIES', 'number', REQUEST_BOUNDS.maxEntries, atLeastOne, 'Entries in a descriptor.'),
  maxKeyBytes: setting('MAX_KEY_BYTES', 'bytes', REQUEST_BOUNDS.maxKeyBytes, atLeastOne, 'Length of an entry key.'),
  maxValueBytes: setting(
    'MAX_VALUE_BYTES',
    'bytes',
    REQUEST_BOUNDS.maxValueBytes,
    atLeastOne,
    'Length of an entry value.',
  ),
  maxNesting: setting(
    'MAX_NESTING',
    'number',
    REQUEST_BOUNDS.maxNesting,
    integerBetween(5, 1_000),
    'Levels inside each other, of unknown protobuf groups and of JSON.',
  ),
});
