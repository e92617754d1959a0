import { expect, test } from 'vitest';
import { asProblem, problem } from './problem';

test('a Problem stays what it is', () => {
  const refused = problem('nonce_used', 'Already used', 'Sign again.');
  expect(asProblem(refused)).toBe(refused);
});

test.each([
  [new Error('broken pipe'), 'broken pipe'],
  ['command not found', 'command not found'],
  [undefined, 'no reason given'],
  [{ code: 7 }, 'no reason given'],
])('%s becomes one', (thrown, detail) => {
  expect(asProblem(thrown)).toMatchObject({ code: 'unexpected', status: 0, detail });
});
