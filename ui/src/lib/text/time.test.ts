import { describe, expect, test } from 'vitest';
import { exact, exactShort, reached, relative, span } from './time';

const NOW = '2026-11-24T02:14:00.000Z';
const now_ms = Date.parse(NOW);

describe('span', () => {
  test.each([
    [0, '0 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [41 * 60_000, '41 min'],
    [119 * 60_000, '119 min'],
    [120 * 60_000, '2 h'],
    [47 * 3_600_000, '47 h'],
    [48 * 3_600_000, '2 d'],
    [-41 * 60_000, '41 min'],
  ])('%d ms is %s', (ms, words) => {
    expect(span(ms)).toBe(words);
  });
});

describe('relative', () => {
  test.each([
    ['2026-11-24T02:55:00Z', 'in 41 min'],
    ['2026-11-24T02:13:48Z', '12 s ago'],
    ['2026-11-24T02:14:00.5Z', 'now'],
    ['not a time', 'at an unknown time'],
  ])('%s is %s', (at, words) => {
    expect(relative(at, now_ms)).toBe(words);
  });
});

test('exact times are UTC to the second, whatever zone they came in', () => {
  expect(exact('2026-11-24T03:14:30.9+01:00')).toBe('2026-11-24 02:14:30 UTC');
  expect(exact('nonsense')).toBe('unknown time');
});

test('the day is left out only where it is today', () => {
  expect(exactShort('2026-11-24T14:20:30Z', now_ms)).toBe('14:20:30 UTC');
  expect(exactShort('2026-11-25T14:20:30Z', now_ms)).toBe('11-25 14:20 UTC');
});

test('at its instant a thing is void, and so it is where the instant is unreadable', () => {
  expect(reached('2026-11-24T02:14:00.001Z', now_ms)).toBe(false);
  expect(reached(NOW, now_ms)).toBe(true);
  expect(reached('nonsense', now_ms)).toBe(true);
});
