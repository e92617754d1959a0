import { expect, test } from 'vitest';
import { visible } from './foreign';

test.each([
  ['plain text', 'plain text'],
  ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
  ['\u202Egnp.exe', '⟨U+202E⟩gnp.exe'],
  ['a\u200Bb\u0000c', 'a⟨U+200B⟩b⟨U+0000⟩c'],
  ['line\nline\ttab', 'line\nline\ttab'],
  ['خادم', 'خادم'],
])('%j is shown as %j', (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test('a long text is cut between characters, and says how much is missing', () => {
  expect(visible('😀'.repeat(5), 3)).toBe('😀😀😀… (2 more)');
});
