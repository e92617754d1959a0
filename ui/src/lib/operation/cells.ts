// Cells by wave, and in numbers.

import type { SystemCell } from '$lib/bindings/SystemCell';
import type { SystemPhase } from '$lib/bindings/SystemPhase';
import { PHASES, PHASE_ORDER } from '$lib/words/words';

export interface Wave {
  /** From 1. */
  wave: number;
  label: string;
  cells: SystemCell[];
  /** Index of the first cell among all. */
  from: number;
}

/** Cells come in the order of the rollout; so waves follow one another. */
export function byWave(cells: readonly SystemCell[], waves: number): Wave[] {
  const found: Wave[] = [];
  cells.forEach((cell, index) => {
    let last = found.at(-1);
    if (last?.wave !== cell.wave) {
      const label = cell.wave === 1 && waves > 1 ? 'canary' : `wave ${cell.wave}`;
      last = { wave: cell.wave, label, cells: [], from: index };
      found.push(last);
    }
    last.cells.push(cell);
  });
  return found;
}

/** How many are where, what hurts first; phases nobody is in are left out. */
export function tally(cells: readonly SystemCell[]): { phase: SystemPhase; n: number }[] {
  const numbers = new Map<SystemPhase, number>();
  for (const { phase } of cells) numbers.set(phase, (numbers.get(phase) ?? 0) + 1);
  return PHASE_ORDER.flatMap((phase) => {
    const n = numbers.get(phase) ?? 0;
    return n > 0 ? [{ phase, n }] : [];
  });
}

/** `pay-0003, wave 1, failed: handshake refused`. */
export function spoken(cell: SystemCell): string {
  const message = cell.message === null ? '' : `: ${cell.message}`;
  return `${cell.id}, wave ${cell.wave}, ${PHASES[cell.phase].word}${message}`;
}
