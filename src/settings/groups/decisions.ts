import { numberBetween } from '../go-values.ts';
import { bool, headerName, inGroup, setting } from '../setting.ts';

export const DECISIONS = inGroup('Decisions', {
  nearLimitRatio: setting(
    'NEAR_LIMIT_RATIO',
    '0..1',
    0.8,
    numberBetween(0, 1),
    'Hits above this part of a limit count as near it.',
  ),
  countDenied: bool(
    'COUNT_DENIED',
    true,
    'false: a refused request consumes nothing on any of its limits. Rules may say `count_denied` for a domain.',
  ),
  stopWhenOver: bool(
    'STOP_CACHE_KEY_INCREMENT_WHEN_OVERLIMIT',
    false,
    'A refused request is charged only where it goes over. Without effect where refused requests are not counted.',
  ),
  shadowMode: bool('SHADOW_MODE', false, 'Decide and count, but tell ok.'),
  quotaMode: bool('QUOTA_MODE', false, 'Every descriptor is a quota: over only when all are.'),
  headersEnabled: bool('LIMIT_RESPONSE_HEADERS_ENABLED', false, 'Send the three headers below.'),
  limitHeader: setting('LIMIT_LIMIT_HEADER', 'name', 'RateLimit-Limit', headerName, 'Header for the limit that binds.'),
  remainingHeader: setting(
    'LIMIT_REMAINING_HEADER',
    'name',
    'RateLimit-Remaining',
    headerName,
    'Header for what is left of it.',
  ),
  resetHeader: setting(
    'LIMIT_RESET_HEADER',
    'name',
    'RateLimit-Reset',
    headerName,
    'Header for the seconds until it resets.',
  ),
  retryAfterHeader: setting(
    'LIMIT_RETRY_AFTER_HEADER',
    'name',
    '',
    headerName,
    'Header of refusals for the seconds until the same request would be admitted, such as `Retry-After`.',
  ),
  dynamicMetadata: bool('RESPONSE_DYNAMIC_METADATA', false, 'Answer with the request and the metadata of its rules.'),
});
