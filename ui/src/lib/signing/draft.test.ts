import { expect, test } from 'vitest';
import { Drafts } from './draft.svelte';

test('a draft survives until it is signed', () => {
  const drafts = new Drafts();
  drafts.of('p-1').rationale = 'not without the dependents';
  expect(drafts.of('p-1').rationale).toBe('not without the dependents');
  expect(drafts.of('p-2').rationale).toBe('');
  drafts.drop('p-1');
  expect(drafts.of('p-1').rationale).toBe('');
});

test('ticks and narrowing are about bytes; reasons are about the item', () => {
  const draft = new Drafts().of('p-1');
  expect(draft.about('aaaa')).toBe(false);
  draft.rationale = 'because';
  draft.acknowledged.add('4.7');
  draft.narrowed = ['pay-0001'];
  expect(draft.about('aaaa')).toBe(false);
  expect(draft.acknowledged.size).toBe(1);
  expect(draft.about('bbbb')).toBe(true);
  expect(draft.acknowledged.size).toBe(0);
  expect(draft.narrowed).toBe(null);
  expect(draft.rationale).toBe('because');
});
