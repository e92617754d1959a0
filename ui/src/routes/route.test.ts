import { expect, test } from 'vitest';
import { href, parse, type Route } from './route';

test.each<[string, Route]>([
  ['', { screen: 'queue' }],
  ['#/queue', { screen: 'queue' }],
  ['#/queue/p-1', { screen: 'briefing', id: 'p-1' }],
  ['#/operations', { screen: 'operations' }],
  ['#/operations/op-7f', { screen: 'operation', id: 'op-7f' }],
  ['#/nowhere', { screen: 'queue' }],
  ['#/queue/a/b', { screen: 'queue' }],
  ['#/queue/%E0%A4%A', { screen: 'queue' }],
])('%s', (hash, route) => {
  expect(parse(hash)).toEqual(route);
});

test('names with any characters come back as they were', () => {
  for (const id of ['a/b', '<img src=x>', 'ü ؟', '#']) {
    expect(parse(href({ screen: 'operation', id }))).toEqual({ screen: 'operation', id });
  }
});
