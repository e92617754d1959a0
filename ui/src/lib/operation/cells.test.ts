import { expect, test } from 'vitest';
import type { SystemCell } from '$lib/bindings/SystemCell';
import { byWave, spoken, tally } from './cells';

function cell(id: string, wave: number, phase: SystemCell['phase']): SystemCell {
  return { id, wave, phase, message: null, at: null };
}

const cells = [
  cell('a', 1, 'healthy'),
  cell('b', 1, 'failed'),
  cell('c', 2, 'pending'),
  cell('d', 2, 'pending'),
];

test('waves follow one another, the first of several being the canary', () => {
  expect(byWave(cells, 2).map(({ label, from, cells: of }) => [label, from, of.length])).toEqual([
    ['canary', 0, 2],
    ['wave 2', 2, 2],
  ]);
  expect(byWave(cells.slice(0, 2), 1)[0]?.label).toBe('wave 1');
  expect(byWave([], 1)).toEqual([]);
});

test('what hurts is counted first', () => {
  expect(tally(cells)).toEqual([
    { phase: 'failed', n: 1 },
    { phase: 'healthy', n: 1 },
    { phase: 'pending', n: 2 },
  ]);
});

test('a cell in words', () => {
  expect(spoken({ ...cell('pay-0003', 1, 'failed'), message: 'handshake refused' })).toBe(
    'pay-0003, wave 1, failed: handshake refused',
  );
});
