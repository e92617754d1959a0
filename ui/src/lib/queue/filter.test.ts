import { expect, test } from 'vitest';
import type { QueueRow } from '$lib/bindings/QueueRow';
import { matcher } from './filter';

const row: QueueRow = {
  id: 'p-9b02',
  title: 'Rotate svc_ehr on ehr-db-1',
  tier: 'safety-critical',
  agent: 'soc-agent',
  state: 'waiting',
  consequence: '14 servers lose the database',
  why: ['0 independent signals, 1 wanted'],
  systems: 15,
  needed: 2,
  approvals: 0,
  received_at: '2026-11-24T02:00:00Z',
  expires_at: '2026-11-24T03:00:00Z',
  operation: null,
};

test.each([
  ['', true],
  ['  ', true],
  ['tier:safety', true],
  ['TIER:Safety rotate', true],
  ['tier:critical', false],
  ['tier:', true],
  ['agent:soc', true],
  ['agent:mssp', false],
  ['database', true],
  ['signals ehr', true],
  ['openssl', false],
  ['tier:safety openssl', false],
  ['unknown:field', false],
  ['id:p-9b', true],
  [':', false],
])('%j matches: %s', (filter, expected) => {
  expect(matcher(filter)(row)).toBe(expected);
});
