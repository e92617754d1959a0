import { expect, test } from 'vitest';
import { listed, wanting, type DecisionKind, type Written } from './requirements';

const clauses = ['4.7', '4.3'];

function places(kind: DecisionKind, written: Partial<Written>): string[] {
  const whole: Written = { rationale: '', risk: null, acknowledged: new Set(), ...written };
  return wanting(kind, whole, clauses).map(({ place }) => place);
}

test('approving wants reasons, a risk level and every finding seen', () => {
  expect(places('approve', {})).toEqual(['rationale', 'risk', 'acknowledged']);
  expect(places('approve', { rationale: ' \n ' })).toContain('rationale');
  const written = { rationale: 'because', risk: 'high' } as const;
  expect(places('approve', { ...written, acknowledged: new Set(['4.7']) })).toEqual([
    'acknowledged',
  ]);
  expect(places('approve', { ...written, acknowledged: new Set(clauses) })).toEqual([]);
});

test.each(['reject', 'continue', 'roll_back', 'abort'] as const)(
  '%s does not want findings seen',
  (kind) => {
    expect(places(kind, { rationale: 'because', risk: 'low' })).toEqual([]);
  },
);

test('what is missing is named', () => {
  const written: Written = { rationale: 'x', risk: 'low', acknowledged: new Set(['4.7']) };
  expect(wanting('approve', written, clauses)[0]?.words).toBe('one finding to be seen (4.3)');
  expect(listed(['a', 'b', 'c'])).toBe('a, b and c');
  expect(listed(['a'])).toBe('a');
});
