// The words and shapes of states, one each. Colour only ever repeats them.

import type { ItemState } from '$lib/bindings/ItemState';
import type { OperationRow } from '$lib/bindings/OperationRow';
import type { OperationState } from '$lib/bindings/OperationState';
import type { SystemPhase } from '$lib/bindings/SystemPhase';
import type { TierView } from '$lib/bindings/TierView';

export interface Sign {
  shape: string;
  word: string;
}

export const TIERS: Record<TierView, Sign> = {
  'safety-critical': { shape: '◆', word: 'safety-critical' },
  'production-critical': { shape: '▲', word: 'production-critical' },
  'non-critical': { shape: '●', word: 'non-critical' },
};

/** Most critical first. */
export const TIER_ORDER: readonly TierView[] = [
  'safety-critical',
  'production-critical',
  'non-critical',
];

export const ITEM_STATES: Record<ItemState, Sign & { then: string }> = {
  waiting: { shape: '○', word: 'waiting', then: 'It waits for people.' },
  running: { shape: '▶', word: 'running', then: 'It is being carried out.' },
  done: { shape: '✓', word: 'done', then: 'It was carried out.' },
  halted: { shape: '✕', word: 'halted', then: 'The breaker halted it; people decide.' },
  rolled_back: { shape: '↺', word: 'rolled back', then: 'It was undone.' },
  aborted: { shape: '■', word: 'aborted', then: 'It was stopped and left as it is.' },
  rejected: { shape: '✕', word: 'rejected', then: 'The agent was told to stop.' },
  expired: {
    shape: '◌',
    word: 'expired',
    then: 'Nobody decided in time; the agent was told to stop.',
  },
  superseded: { shape: '↷', word: 'superseded', then: 'The agent replaced it with another item.' },
  refused: { shape: '⊘', word: 'refused', then: 'It was void from the start.' },
  voided: {
    shape: '⊘',
    word: 'voided',
    then: 'What it rests on changed after it was approved; it was assessed anew as another item.',
  },
};

export const OPERATION_STATES: Record<OperationState, Sign & { then: string }> = {
  running: { shape: '▶', word: 'running', then: 'Systems are being worked on.' },
  held: {
    shape: '‖',
    word: 'held',
    then: 'Something it rests on does not hold now; nothing is dispatched.',
  },
  halted: {
    shape: '✕',
    word: 'halted',
    then: 'The breaker tripped; nothing is dispatched until a person decides.',
  },
  rolling_back: { shape: '↺', word: 'rolling back', then: 'What was touched is being put back.' },
  completed: { shape: '✓', word: 'completed', then: 'Every system is healthy.' },
  rolled_back: { shape: '↺', word: 'rolled back', then: 'Every touched system is as it was.' },
  aborted: { shape: '■', word: 'aborted', then: 'Stopped, and left as it is.' },
  rollback_failed: {
    shape: '!',
    word: 'rollback failed',
    then: 'Undoing it failed on a system; people decide.',
  },
};

/** Where an operation stands, in a sentence; one that was continued need not have ended healthy. */
export function stands(row: Pick<OperationRow, 'state' | 'systems' | 'healthy'>): string {
  const rest = row.systems - row.healthy;
  if (row.state !== 'completed' || rest === 0) return OPERATION_STATES[row.state].then;
  return `It ran to its end; ${count(rest, 'system')} failed or ${rest === 1 ? 'was' : 'were'} left out.`;
}

export const PHASES: Record<SystemPhase, Sign> = {
  pending: { shape: '', word: 'not touched' },
  already_unhealthy: { shape: '~', word: 'unhealthy before, not touched' },
  left_out: { shape: '–', word: 'left out by a decision, not touched' },
  in_flight: { shape: '◐', word: 'being worked on' },
  healthy: { shape: '✓', word: 'healthy' },
  failed: { shape: '✕', word: 'failed' },
  unknown: { shape: '?', word: 'nobody can say' },
  reverted: { shape: '↺', word: 'as it was before' },
  revert_failed: { shape: '!', word: 'undoing it failed' },
};

export const PHASE_ORDER: readonly SystemPhase[] = [
  'failed',
  'revert_failed',
  'unknown',
  'in_flight',
  'healthy',
  'reverted',
  'already_unhealthy',
  'left_out',
  'pending',
];

export const RISK_LEVELS = ['low', 'moderate', 'high', 'severe'] as const;
export type RiskLevel = (typeof RISK_LEVELS)[number];

export const DECISION_KINDS: Record<string, string> = {
  approve: 'approved',
  reject: 'rejected',
  continue: 'signed to continue',
  roll_back: 'ordered the rollback',
  abort: 'aborted it',
};

/** `1,240 systems`, `1 system`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en')} ${n === 1 ? one : many}`;
}

/** `ot-safety-officer` as people write it: `OT safety officer`. */
export function role(name: string): string {
  return name
    .replace('on-call-', 'on\u2011call-')
    .split('-')
    .map((part) => (['ot', 'soc', 'ciso', 'it'].includes(part) ? part.toUpperCase() : part))
    .join(' ');
}
