// What a decision still wants before it may be signed, in words.

import type { RiskLevel } from '$lib/words/words';

export type DecisionKind = 'approve' | 'reject' | 'continue' | 'roll_back' | 'abort';

export interface Written {
  rationale: string;
  risk: RiskLevel | null;
  acknowledged: ReadonlySet<string>;
}

/** Where the eye and the keyboard go to mend it. */
export type Place = 'rationale' | 'risk' | 'acknowledged';

export interface Wanting {
  place: Place;
  words: string;
}

/** Approving wants every blocking finding seen; stopping something does not. */
export function wanting(
  kind: DecisionKind,
  written: Written,
  clauses: readonly string[],
): Wanting[] {
  const wants: Wanting[] = [];
  if (written.rationale.trim() === '') wants.push({ place: 'rationale', words: 'your reasons' });
  if (written.risk === null) wants.push({ place: 'risk', words: 'the risk level' });
  if (kind === 'approve') {
    const unseen = clauses.filter((clause) => !written.acknowledged.has(clause));
    if (unseen.length > 0) {
      const words = `${unseen.length === 1 ? 'one finding' : `${unseen.length} findings`} to be seen (${unseen.join(', ')})`;
      wants.push({ place: 'acknowledged', words });
    }
  }
  return wants;
}

/** `your reasons, the risk level and one finding to be seen (4.7)`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1) ?? ''}`;
}
