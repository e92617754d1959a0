import { expect, test } from 'vitest';
import { canary, narrowed, ofWaves } from './narrowing';

const targets = ['a', 'b', 'c', 'd'];
const waves = [
  { label: 'canary', systems: ['a'] },
  { label: 'wave 2', systems: ['b', 'c', 'd'] },
];

test('what remains keeps its order and is never more than was asked', () => {
  expect(narrowed(targets, new Set(['d', 'a', 'stranger']))).toEqual(['a', 'd']);
});

test('all is not narrowed; nothing is nothing', () => {
  expect(narrowed(targets, new Set(targets))).toBe(null);
  expect(narrowed(targets, new Set())).toEqual([]);
});

test('waves', () => {
  expect(ofWaves(waves, new Set([1]))).toEqual(new Set(['b', 'c', 'd']));
  expect(ofWaves(waves, new Set([7]))).toEqual(new Set());
});

test('a single wave has no canary to narrow to', () => {
  expect(canary(waves)?.systems).toEqual(['a']);
  expect(canary(waves.slice(0, 1))).toBe(null);
  expect(canary([])).toBe(null);
});
