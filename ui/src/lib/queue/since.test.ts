import { expect, test } from 'vitest';
import type { ItemState } from '$lib/bindings/ItemState';
import type { QueueRow } from '$lib/bindings/QueueRow';
import type { QueueView } from '$lib/bindings/QueueView';
import { look, since, sinceWords } from './since';

function view(open: string[], closed: Record<string, ItemState>): QueueView {
  const row = (id: string, state: ItemState) => ({ id, state }) as QueueRow;
  return {
    open: open.map((id) => row(id, 'waiting')),
    closed: Object.entries(closed).map(([id, state]) => row(id, state)),
    suspended: [],
    clock_offset_ms: 0,
    as_of: '2026-11-24T02:14:00Z',
    notices: [],
  };
}

test('what came and what ended since, and nothing else', () => {
  const then = look(view(['a', 'b'], { z: 'done' }));
  const now = since(then, view(['b', 'c', 'd'], { a: 'expired', z: 'done' }));
  expect(now.fresh).toEqual(['c', 'd']);
  expect(sinceWords(now)).toBe('2 new, 1 expired (the agent was told to stop)');
});

test('where nothing happened there is nothing to say', () => {
  const same = view(['a'], { z: 'done' });
  expect(sinceWords(since(look(same), same))).toBe('');
});

test('an agent is not told to stop what was carried out', () => {
  expect(sinceWords(since(look(view(['a'], {})), view([], { a: 'done' })))).toBe('1 done');
});
