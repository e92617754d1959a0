// What becomes of a node of the graph, in a shape and a word.

import type { Sign } from '$lib/words/words';

const ROLES: Record<string, Sign> = {
  target: { shape: '◎', word: 'acted on' },
  down: { shape: '✕', word: 'goes down' },
  degraded: { shape: '◐', word: 'degraded' },
  inside: { shape: '⊂', word: 'inside a segment' },
  'touched-by': { shape: '·', word: 'in scope, unharmed' },
};

export function nodeRole(role: string): Sign {
  return ROLES[role] ?? { shape: '·', word: role };
}

const IMPACTS: Record<string, Sign> = {
  down: { shape: '✕', word: 'goes down' },
  degraded: { shape: '◐', word: 'degraded' },
};

export function impact(state: string): Sign {
  return IMPACTS[state] ?? { shape: '·', word: state };
}
